"""Events for tests: as values, and stored."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from eventhub.events.queries import StoredEvent
from eventhub.schemas.models import EventType
from eventhub.traces.assemble import Letter

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(event_id: str, event_type: str = "order.placed", seconds: float = 0, **fields: Any) -> StoredEvent:
    data = fields.pop("data", {})
    text = json.dumps(data)
    values: dict[str, Any] = {
        "event_id": event_id,
        "event_type": event_type,
        "event_version": "1",
        "occurred_at": at(seconds),
        "recorded_at": at(seconds + 0.1),
        "source": "shop",
        "correlation_id": "c-1",
        "causation_id": None,
        "stream": None,
        "stream_version": None,
        "data": text,
        "data_bytes": len(text),
        "message_key": None,
        "headers": None,
        "metadata": "{}",
        "origin_id": None,
        "origin_topic": None,
        "origin_partition": None,
        "origin_offset": None,
        "txid": 1,
        "position": next(_numbers),
    }
    return StoredEvent(**{**values, **fields})


def receipt(
    about: str,
    service: str,
    seconds: float = 1,
    *,
    ok: bool = True,
    correlation_id: str | None = "c-1",
    **data: Any,
) -> StoredEvent:
    body = {"event_id": about, "service": service, "duration_ms": 200, "attempt": 1, **data}
    kind = f"eventhub.delivery.{'succeeded' if ok else 'failed'}"
    return event(
        f"{about}-{service}-{seconds}",
        kind,
        seconds,
        data=body,
        source=service,
        correlation_id=correlation_id,
    )


def letter(about: str | None, number: int = 1, **fields: Any) -> Letter:
    values: dict[str, Any] = {
        "id": number,
        "status": "open",
        "reason": "service",
        "event_id": about,
        "event_type": "order.placed",
        "causation_id": None,
        "source": "shop",
        "failed_in": "shipping",
        "error_class": "Timeout",
        "error_message": "no answer",
        "attempts": 3,
        "failed_at": at(3),
        "recorded_at": at(3),
    }
    return Letter(**{**values, **fields})


_COLUMNS = (
    "event_id, event_type, event_version, occurred_at, recorded_at, source, correlation_id, causation_id, stream, "
    "stream_version, data, metadata, headers, origin_id, origin_topic, is_undated"
)


def store(*events: StoredEvent, txid: int | None = None) -> None:
    """Put events into the table, in this order; with an old `txid` they count as settled."""
    rows = [tuple(getattr(one, name) for name in _COLUMNS.split(", ")) for one in events]
    with connection.cursor() as cursor:
        for row in rows:
            marks = ", ".join(["%s"] * len(row))
            if txid is None:
                cursor.execute(f"INSERT INTO events_event ({_COLUMNS}) VALUES ({marks})", row)
            else:
                cursor.execute(
                    f"INSERT INTO events_event (txid, {_COLUMNS}) VALUES (%s::xid8, {marks})",
                    (str(txid), *row),
                )
    names = {one.event_type for one in events}
    EventType.objects.bulk_create(
        [EventType(name=name, first_seen_at=START, last_seen_at=START) for name in names],
        ignore_conflicts=True,
    )


def order(number: int, seconds: float = 0, *, fails: bool = False, **fields: Any) -> list[StoredEvent]:
    """An order's events: placed, paid (or declined), shipped."""
    name = f"order-{number}"
    about = {"correlation_id": name, "stream": name, **fields}
    placed = event(
        f"{name}-placed", "order.placed", seconds, data={"order_id": number}, source="shop", **about
    )
    paid = event(
        f"{name}-paid", "payment.declined" if fails else "payment.captured", seconds + 1,
        causation_id=placed.event_id, **{**about, "source": "payment"},
    )  # fmt: skip
    if fails:
        return [placed, paid]
    shipped = event(
        f"{name}-shipped",
        "shipment.sent",
        seconds + 2,
        causation_id=paid.event_id,
        **{**about, "source": "shipping"},
    )
    return [placed, paid, shipped]
