"""How fast one worker takes a Redis stream into the store, beside PostgreSQL's own speed at the same rows."""

import time

from benchmarks import stage
from benchmarks.record import record

EVENTS = 200_000
COPY_BATCH = 5_000


def run() -> bool:
    """Decode, validate, deduplicate, roll up and store 200,000 events; the goal is half of the raw COPY rate."""
    with stage.services() as folder:
        from eventhub.brokers.models import Kind, Source
        from eventhub.events.models import Event
        from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

        messages = list(stage.bodies(EVENTS))
        size = sum(map(len, messages)) / EVENTS
        print(f"{EVENTS:,} events of {size:.0f} bytes on average", flush=True)
        stage.fill(stage.STREAM, messages)
        schema = {"type": "object", "required": ["order_id"], "properties": {"total": {"type": "string"}}}
        order_placed = EventType.objects.create(name="order.placed")
        SchemaVersion.objects.create(
            event_type=order_placed, version="1", status=SchemaStatus.ACTIVE, schema=schema
        )
        rows = _rows(messages)
        before = _raw_copy(rows, "raw_before")
        Source.objects.create(name="bench", kind=Kind.REDIS, config={"streams": [stage.STREAM]})
        with stage.ingest_worker("bench", folder):
            seconds = stage.wait_for_messages("bench", EVENTS, timeout_s=300)
        stored = Event.objects.count()
        if stored != EVENTS:
            raise AssertionError(f"{stored:,} rows are stored instead of {EVENTS:,}")
        after = _raw_copy(rows, "raw_after")
        print(f"raw COPY before {before:,.0f}/s, after {after:,.0f}/s", flush=True)
        return record(
            "ingest-redis",
            value=EVENTS / seconds,
            unit="events/s",
            reference="prebuilt COPY of the same rows",
            reference_value=(before + after) / 2,
            goal=0.5,
            better="higher",
        )


def _rows(messages: list[bytes]) -> list[bytes]:
    """The COPY text of the messages' rows, in batches."""
    from eventhub.events import store
    from eventhub.events.decoding import decode
    from eventhub.events.message import Message

    batches = []
    for start in range(0, len(messages), COPY_BATCH):
        part = messages[start : start + COPY_BATCH]
        origins = [
            Message(body, stage.STREAM, f"{start + n}-0", f"redis:{start + n}") for n, body in enumerate(part)
        ]
        prepared = store.prepare([decode(origin) for origin in origins], origins, 1)
        batches.append(prepared.text)
    return batches


def _raw_copy(batches: list[bytes], table: str) -> float:
    """Rows per second of COPY alone into a table with the same columns, defaults and indexes."""
    from django.db import connection

    from eventhub.events import store

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute(f"CREATE TABLE {table} (LIKE events_event INCLUDING ALL)")
        started = time.perf_counter()
        for text in batches:
            with cursor.copy(store.COPY.format(table=table, columns=store.COLUMNS)) as copy:
                copy.write(text)
        return EVENTS / (time.perf_counter() - started)
