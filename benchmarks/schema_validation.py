"""What checking events against a schema adds to ingest: the same events, with validation on and off in turn."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import stage
from benchmarks.record import record

if TYPE_CHECKING:  # at run time only after Django is set up
    from eventhub.events.message import Message
    from eventhub.ingest.pipeline import Pipeline

BATCH, BATCHES, ROUNDS = 1_000, 6, 7
GOAL = 1.15
TEXTS = (
    "order_id",
    "customer_id",
    "email",
    "currency",
    "channel",
    "street",
    "city",
    "postcode",
    "country",
    "note",
)
NUMBERS = ("total_cents", "tax_cents", "shipping_cents", "discount_cents", "items_count", "attempt")
EVENT_TYPE = "bench.order_placed"


def schema() -> dict[str, Any]:
    """Twenty fields, all required: texts with lengths, numbers with bounds, an enum, a time, a flag, a list."""
    properties: dict[str, Any] = {name: {"type": "string", "minLength": 1, "maxLength": 80} for name in TEXTS}
    properties |= {name: {"type": "integer", "minimum": 0} for name in NUMBERS}
    item = {
        "type": "object",
        "required": ["sku", "quantity"],
        "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}},
    }
    properties |= {
        "status": {"enum": ["placed", "paid", "cancelled"]},
        "placed_at": {"type": "string", "format": "date-time"},
        "is_gift": {"type": "boolean"},
        "items": {"type": "array", "minItems": 1, "items": item},
    }
    return {"type": "object", "required": sorted(properties), "properties": properties}


def run() -> bool:
    """Seconds to prepare and store the events with validation on, beside the same with it off."""
    with stage.services():
        from eventhub.brokers.models import Kind, Source
        from eventhub.ingest.pipeline import Pipeline
        from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode

        event_type = EventType.objects.create(name=EVENT_TYPE, validation=ValidationMode.WARN)
        SchemaVersion.objects.create(
            event_type=event_type, version="1", status=SchemaStatus.ACTIVE, schema=schema()
        )
        source = Source.objects.create(name="bench", kind=Kind.REDIS, config={"streams": ["bench"]})
        pipelines: dict[bool, Pipeline] = {}
        for is_on in (True, False):
            mode = ValidationMode.WARN if is_on else ValidationMode.OFF
            EventType.objects.update(validation=mode)
            pipelines[is_on] = pipeline = Pipeline(source)
            pipeline._validators.refresh()
            pipeline._validators._look_at = float("inf")  # it keeps the mode that it was made with
        spent = {True: 0.0, False: 0.0}
        for turn in range(ROUNDS + 1):
            for is_on in (True, False) if turn % 2 else (False, True):
                seconds = _ingest(pipelines[is_on], f"{turn}-{is_on}")
                if turn:  # the first warms up
                    spent[is_on] += seconds
    return record(
        "schema-validation",
        value=spent[True],
        unit=f"s for {ROUNDS * BATCHES * BATCH:,} events",
        reference="the same with validation off",
        reference_value=spent[False],
        goal=GOAL,
        better="lower",
    )


def _ingest(pipeline: "Pipeline", name: str) -> float:
    batches = [list(_messages(f"{name}-{number}")) for number in range(BATCHES)]
    stage.forget_events()
    began = time.perf_counter()
    for batch in batches:
        written = pipeline.write(pipeline.prepare(batch))
        if len(written.outcomes) != BATCH or any(written.outcomes):
            raise AssertionError("not every event was stored")
    return time.perf_counter() - began


def _messages(name: str) -> "Iterator[Message]":
    from eventhub.events.message import Message

    at = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(BATCH):
        data: dict[str, Any] = {field: f"{field} {number}" for field in TEXTS}
        data |= dict.fromkeys(NUMBERS, number)
        data |= {"status": "placed", "placed_at": at.isoformat(), "is_gift": False}
        data["items"] = [{"sku": f"A-{n}", "quantity": n + 1} for n in range(3)]
        event = {
            "event_id": f"{name}-{number}",
            "event_type": EVENT_TYPE,
            "event_version": "1",
            "timestamp": at.isoformat(),
            "data": data,
            "metadata": {"source": "bench", "correlation_id": f"{name}-{number // 5}"},
        }
        body = json.dumps(event).encode()
        yield Message(body=body, topic="bench", offset=str(number), origin_key=f"bench:{name}/{number}")
