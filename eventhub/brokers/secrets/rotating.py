"""Encrypting what there is with a new key."""

from django.db import transaction

from eventhub.access import audit
from eventhub.brokers.models import Source
from eventhub.brokers.secrets import keys


@transaction.atomic
def rotate_all(actor: audit.Actor) -> tuple[list[str], list[str]]:
    """Encrypt the secrets of every source with the first key.

    Returns the names of the sources, and of those whose secrets no key reads. Raises keys.BadKey.
    """
    rotated: list[str] = []
    lost: list[str] = []
    for source in Source.objects.exclude(secrets="").select_for_update():
        try:
            text = keys.rotate(source.secrets)
        except keys.Unreadable:
            lost.append(source.name)
            continue
        # Nothing about the source changed: workers go on, and its `changed_at` stays.
        Source.objects.filter(pk=source.pk).update(secrets=text)
        rotated.append(source.name)
    audit.record(actor, "rotate secrets", "all sources", rotated=rotated, lost=lost)
    return rotated, lost
