"""What a version must keep to before it is published, whichever door it comes through."""

from typing import Any

from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from eventhub.schemas.registry.store import judged, published


def breaches_of(event_type: EventType, schema: Any, but: int | None = None) -> list[str]:
    """How a schema breaks the type's level against its active versions (but the one with this key), a line a place."""
    active = [one for one in published(event_type) if one.status == SchemaStatus.ACTIVE and one.pk != but]
    if not active:
        return []
    verdict = judged(event_type, schema, active, "this version")
    return [
        f"{one.difference.path}: {one.difference.words} ({one.direction}, version {one.version})"
        for one in verdict.breaches
    ]


def settle_default(version: SchemaVersion) -> None:
    """The first version that is published is what events without a version are checked against."""
    event_type = version.event_type
    if version.status == SchemaStatus.ACTIVE and not event_type.default_version:
        event_type.default_version = version.version
        event_type.save(update_fields=["default_version"])
