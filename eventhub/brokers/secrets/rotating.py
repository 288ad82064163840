"""Encrypting what there is with a new key.

Who keeps secrets in a table of its own registers it: a model with a column `secrets` and a name.
"""

from django.db import models, transaction

from eventhub.access import audit
from eventhub.brokers.models import Source
from eventhub.brokers.secrets import keys

_keepers: list[type[models.Model]] = [Source]


def register(model: type[models.Model]) -> None:
    """Have the secrets of this model's rows rotated too."""
    if model not in _keepers:
        _keepers.append(model)


@transaction.atomic
def rotate_all(actor: audit.Actor) -> tuple[list[str], list[str]]:
    """Encrypt the secrets of every source, and of all that registered, with the first key.

    Returns the names of these, and of those whose secrets no key reads. Raises keys.BadKey.
    """
    rotated: list[str] = []
    lost: list[str] = []
    for model in _keepers:
        rows = model._default_manager.exclude(secrets="").select_for_update()
        for pk, name, secrets in rows.values_list("pk", "name", "secrets"):
            try:
                text = keys.rotate(secrets)
            except keys.Unreadable:
                lost.append(name)
                continue
            # Nothing else changed: workers go on, and the source's `changed_at` stays.
            model._default_manager.filter(pk=pk).update(secrets=text)
            rotated.append(name)
    audit.record(actor, "rotate secrets", "everything", rotated=rotated, lost=lost)
    return rotated, lost
