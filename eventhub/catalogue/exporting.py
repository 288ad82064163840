"""The catalogue as documents for other tools."""

from collections.abc import Sequence
from typing import Any

from eventhub.events import queries
from eventhub.schemas.asyncapi import Published, document
from eventhub.schemas.models import EventType, SchemaStatus
from eventhub.schemas.personal.showing import masked_event

MOST_TYPES = 1_000


def asyncapi_document(names: Sequence[str] = ()) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of these event types; of all but EventHub's own when none is named."""
    types = (
        EventType.objects.exclude(name__startswith="eventhub.").order_by("name").prefetch_related("versions")
    )
    if names:
        types = types.filter(name__in=names)
    return document([_published(event_type) for event_type in types[:MOST_TYPES]])


def _published(event_type: EventType) -> Published:
    active = [one for one in event_type.versions.all() if one.status == SchemaStatus.ACTIVE]
    latest = queries.latest_of_type(event_type.name, 1)
    # The document leaves the house: what tells of a person is masked, whoever asks.
    example = masked_event(latest[0]).value if latest and latest[0].data is not None else None
    return Published(event_type, active, example)
