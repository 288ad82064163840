"""Keeping a schema that somebody wrote: as a draft, or published at once."""

from typing import Any

from django.db import transaction

from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.catalogue.judging import Judged
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from eventhub.schemas.publishing import settle_default


class NotSaved(ValueError):
    """The schema was not kept; the message says why and what to do."""


@transaction.atomic
def save(
    event_type: EventType,
    version: str,
    judged: Judged,
    actor: Actor,
    *,
    publish: bool,
    in_spite: bool = False,
    note: str = "",
    mode: str = "",
    user: Any = None,
) -> SchemaVersion:
    """The version as it is kept now. Audited. Raises NotSaved.

    `in_spite`: publish what breaks the type's level all the same, which the audit log says.
    """
    EventType.objects.select_for_update().get(pk=event_type.pk)
    version = version.strip()[:50]
    if not version:
        raise NotSaved("Give the version a name: what events carry as event_version.")
    if judged.flaws:
        raise NotSaved(f"This is not a usable JSON Schema. {judged.flaws[0]}")
    if publish and not judged.may_be_published and not in_spite:
        raise NotSaved(
            "This version breaks what the type promises. Change it, or say that it may be published in spite of that."
        )
    row = event_type.versions.filter(version=version).first() or SchemaVersion(
        event_type=event_type, version=version
    )
    if row.pk and row.status != SchemaStatus.DRAFT:
        raise NotSaved(f"Version {version} is {row.status} and stays as it is. Give this one another name.")
    row.schema, row.note, row.author = judged.schema, note[:2000], user
    row.status = SchemaStatus.ACTIVE if publish else SchemaStatus.DRAFT
    row.save()
    row.event_type = event_type
    settle_default(row)
    if mode in ValidationMode.values and mode != event_type.validation:
        event_type.validation = mode
        event_type.save(update_fields=["validation"])
    breaks = [one.difference.kind for one in judged.verdict.breaches] if judged.verdict else []
    action = "publish schema" if publish else "save schema"
    audit.record(
        actor, action, f"{event_type.name} v{version}", breaks=breaks, validation=event_type.validation
    )
    return row
