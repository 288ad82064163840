"""How fast one worker takes a Redis stream into the store, beside PostgreSQL's own speed at the same rows."""

from benchmarks import copying, stage
from benchmarks.record import record

EVENTS = 200_000


def run() -> bool:
    """Decode, validate, deduplicate, roll up and store 200,000 events; the goal is half of the raw COPY rate."""
    with stage.services() as folder:
        from eventhub.brokers.models import Kind, Source
        from eventhub.events.models import Event

        messages = list(stage.bodies(EVENTS))
        size = sum(map(len, messages)) / EVENTS
        print(f"{EVENTS:,} events of {size:.0f} bytes on average", flush=True)
        stage.fill(stage.STREAM, messages)
        stage.declare_schema()
        rows = copying.rows(messages)
        before = copying.rate(rows, EVENTS, "raw_before")
        Source.objects.create(name="bench", kind=Kind.REDIS, config={"streams": [stage.STREAM]})
        with stage.ingest_worker("bench", folder):
            seconds = stage.wait_for_messages("bench", EVENTS, timeout_s=300)
        stored = Event.objects.count()
        if stored != EVENTS:
            raise AssertionError(f"{stored:,} rows are stored instead of {EVENTS:,}")
        after = copying.rate(rows, EVENTS, "raw_after")
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
