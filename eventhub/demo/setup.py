"""What EventHub must know to watch the shop: its sources, its event types, their schemas.

Run at every start; makes what is missing and leaves alone what people have changed.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from eventhub.brokers.models import Kind, Role, Source
from eventhub.demo.elsewhere import TOPICS, Elsewhere, carried_topics
from eventhub.demo.receipts import DEAD_LETTERS, RECEIPTS
from eventhub.demo.schemas import (
    DECLARED,
    FAT,
    FORGOTTEN,
    FORGOTTEN_FOR,
    SINFUL,
    VIRTUOUS,
    Declared,
)
from eventhub.demo.service import now
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, Style
from eventhub.traces.models import Process, ProcessStep, SearchableAttribute
from eventhub.traces.models import Role as StepRole

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
ALL_CARRIED = frozenset(topic for topics in TOPICS.values() for topic in topics)

# Whatever brokers the shop uses.
SOURCES: dict[str, dict[str, Any]] = {
    "shop-outbox": {"kind": Kind.OUTBOX, "config": {}},
    "shop-dead-letters": {
        "kind": Kind.REDIS,
        "role": Role.DEAD_LETTERS,
        "config": {"streams": [DEAD_LETTERS], "group": HUB_GROUP, "start": "0"},
    },
    "http": {"kind": Kind.HTTP, "config": {}},
}


# Event type, what people type, where it stands.
SEARCHABLE = (
    ("order.placed", "order_id", "order_id"),
    ("shipment.created", "tracking", "tracking_number"),
    ("invoice.issued", "invoice", "invoice_number"),
)
# What an order goes through: event type, role, what it follows, what it undoes.
ORDER_STEPS = (
    ("payment.authorized", StepRole.STEP, "", ""),
    ("inventory.reserved", StepRole.STEP, "payment.authorized", ""),
    ("order.confirmed", StepRole.STEP, "inventory.reserved", ""),
    ("shipment.created", StepRole.STEP, "inventory.reserved", ""),
    ("shipment.dispatched", StepRole.STEP, "shipment.created", ""),
    ("order.completed", StepRole.END, "shipment.dispatched", ""),
    ("payment.declined", StepRole.FAILURE, "", ""),
    ("inventory.out_of_stock", StepRole.FAILURE, "payment.authorized", ""),
    ("payment.refunded", StepRole.COMPENSATION, "inventory.out_of_stock", "payment.authorized"),
    ("order.cancelled", StepRole.ABORT, "payment.refunded", ""),
)


@transaction.atomic
def set_up(brokers: Sequence[Elsewhere] = (), *, sins: bool = True) -> None:
    """Make the shop's sources and event types where they are missing, and have the sources follow its brokers."""
    for name, fields in SOURCES.items():
        Source.objects.get_or_create(name=name, defaults=fields)
    _tap_streams(carried_topics(brokers))
    for broker in brokers:
        _tap(broker)
    # What lived on another broker at the last start, and does not now.
    unused = [f"shop-{name}" for name in TOPICS if name not in {broker.name for broker in brokers}]
    Source.objects.filter(name__in=unused, enabled=True).update(enabled=False)
    for declared in (*DECLARED, *(SINFUL if sins else VIRTUOUS)):
        _declare(declared)
    if sins:
        _declare_badly()
    for event_type, name, path in SEARCHABLE:
        kind, _ = EventType.objects.get_or_create(name=event_type)
        SearchableAttribute.objects.get_or_create(event_type=kind, name=name, defaults={"path": path})
    _name_process()


def _tap_streams(elsewhere: frozenset[str]) -> None:
    """Tap those of the shop's streams that live on Redis; a list that a person made stays as it is."""
    streams = [stream for stream in STREAMS if stream not in elsewhere]
    config = {"streams": streams, "group": HUB_GROUP, "start": "0"}
    source, is_new = Source.objects.get_or_create(
        name="shop", defaults={"kind": Kind.REDIS, "config": config}
    )
    if is_new or source.config == config:
        return
    untouched = source.config | {"streams": streams} == config
    if untouched and set(streams) ^ set(source.config["streams"]) <= ALL_CARRIED:
        source.config = config
        source.save()


def _tap(broker: Elsewhere) -> None:
    """Tap what lives on `broker`, wherever that is today."""
    tap = broker.tap()
    source, is_new = Source.objects.get_or_create(name=f"shop-{broker.name}", defaults=tap)
    if is_new:
        return
    source.config |= {name: tap["config"][name] for name in broker.address_keys}
    source.enabled = True
    source.save()


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


def _declare_badly() -> None:
    """The flaws of the catalogue: a type that is not what it is declared as, and one that nobody ever sends."""
    EventType.objects.filter(name=FAT, style="").update(style=Style.NOTIFICATION)
    forgotten = SchemaVersion.objects.filter(event_type__name=FORGOTTEN, event_type__last_seen_at=None)
    forgotten.update(created_at=now() - FORGOTTEN_FOR)


def _name_process() -> None:
    process, is_new = Process.objects.get_or_create(
        start_type="order.placed",
        defaults={
            "name": "Order fulfilment",
            "owner": "shop",
            "description": "From the order to the parcel; without money or goods everything is undone.",
            "deadline_s": 120.0,
        },
    )
    if is_new:
        ProcessStep.objects.bulk_create(
            [
                ProcessStep(
                    process=process, order=place, event_type=name, role=role, after=after, undoes=undoes
                )
                for place, (name, role, after, undoes) in enumerate(ORDER_STEPS)
            ]
        )
