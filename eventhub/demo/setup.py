"""What EventHub must know to watch the shop: its sources, its event types, their schemas.

Run at every start; makes what is missing and leaves alone what people have changed.
"""

from typing import Any

from django.db import transaction

from eventhub.brokers.models import Kind, Role, Source
from eventhub.demo.receipts import DEAD_LETTERS, RECEIPTS
from eventhub.demo.schemas import DECLARED, Declared
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

HUB_GROUP = "eventhub"
STREAMS = (
    "shop.orders",
    "shop.payments",
    "shop.inventory",
    "shop.shipping",
    "shop.email",
    "shop.customers",
    RECEIPTS,
)
TAPPED = (*STREAMS, DEAD_LETTERS)

SOURCES: dict[str, dict[str, Any]] = {
    "shop": {
        "kind": Kind.REDIS,
        "config": {"streams": list(STREAMS), "group": HUB_GROUP, "start": "0"},
    },
    "shop-outbox": {"kind": Kind.OUTBOX, "config": {}},
    "shop-dead-letters": {
        "kind": Kind.REDIS,
        "role": Role.DEAD_LETTERS,
        "config": {"streams": [DEAD_LETTERS], "group": HUB_GROUP, "start": "0"},
    },
    "http": {"kind": Kind.HTTP, "config": {}},
}


@transaction.atomic
def set_up() -> None:
    """Make the shop's sources and event types where they are missing."""
    for name, fields in SOURCES.items():
        Source.objects.get_or_create(name=name, defaults=fields)
    for declared in DECLARED:
        _declare(declared)


def _declare(declared: Declared) -> None:
    event_type, _ = EventType.objects.get_or_create(name=declared.name)
    # Ingest makes the type, without words, when its first event is faster than this.
    if not event_type.description and not event_type.owner:
        event_type.description = declared.description
        event_type.owner = declared.owner
        event_type.validation = declared.validation
        event_type.save(update_fields=["description", "owner", "validation"])
    for version, schema in declared.schemas.items():
        SchemaVersion.objects.get_or_create(
            event_type=event_type,
            version=version,
            defaults={"schema": schema, "status": SchemaStatus.ACTIVE, "note": "Declared by the demo shop."},
        )
