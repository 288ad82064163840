"""What the flow review costs for one hour at 5,000 events a second: seconds of one core, here and in PostgreSQL.

`BENCH_REVIEW_EVENTS` sets how many events; fewer are an hour that was cut short, and the goal is cut with it.
"""

import os
import time
from datetime import UTC, datetime, timedelta

import psutil

from benchmarks import stage
from benchmarks.record import record

EVENTS = int(os.environ.get("BENCH_REVIEW_EVENTS", "18000000"))
PER_S = 5_000
HOUR = 18_000_000
GOAL_S = 60.0
AT_ONCE = 1_000_000
# How often judging is measured; in an hour it is done every half minute.
JUDGED = 5

# Orders of nine events and three receipts, of services that do some of it wrong: no correlation, no version, gaps.
FILL = """
INSERT INTO events_event (position, txid, event_id, event_type, event_version, occurred_at, recorded_at, source,
    correlation_id, causation_id, stream, stream_version, data, metadata, origin_id, origin_topic, origin_partition,
    origin_offset)
SELECT n, (%(txid)s + n / 5000)::text::xid8, md5(n::text),
    CASE WHEN is_receipt THEN 'eventhub.delivery.succeeded' ELSE type END,
    CASE WHEN k <> 8 THEN '1' END, at - interval '60 ms', at, service,
    CASE WHEN k <> 7 THEN 'order-' || o END,
    CASE WHEN k > 1 THEN md5((n - 1)::text) END,
    CASE WHEN NOT is_receipt THEN service || '-' || o END,
    CASE WHEN NOT is_receipt THEN 1 + (k = 4 AND o %% 50 = 0)::int END,
    CASE WHEN is_receipt THEN jsonb_build_object('event_id', md5((n - 9)::text), 'event_type', type, 'service', service,
            'attempt', 1, 'duration_ms', 12.5)
        ELSE jsonb_build_object('order_id', o, 'customer_id', 'c-' || o %% 50000, 'total', (o %% 100000) / 100.0,
            'sku', 'A-' || o %% 977, 'note', substr(md5(o || 'n' || k), 1, 24)) END,
    '{}', 1, 'shop.' || service, (o %% 8)::int, n::text
FROM (
    SELECT n, n / 12 AS o, 1 + (n %% 12)::int AS k, n %% 12 >= 9 AS is_receipt,
        %(start)s::timestamptz + n * interval '1 second' / %(per_s)s AS at,
        (%(services)s::text[])[1 + (n %% 9)::int] AS service,
        (%(types)s::text[])[1 + (n %% 9)::int + 9 * ((n / 12) %% 4)::int] AS type
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
) AS made"""
SERVICES = ["shop", "payment", "stock", "order", "shipping", "invoice", "recommendation", "mail", "crm"]
VERBS = ["placed", "taken", "reserved", "confirmed", "sent", "issued", "updated", "delivered", "noted"]


def run() -> bool:
    """Seconds of one core for all of it, judging included."""
    with stage.services():
        began = time.monotonic()
        fill(EVENTS)
        print(f"{EVENTS:,} events in {time.monotonic() - began:,.0f} s", flush=True)
        cpu_s, took_s = reviewed()
        goal_s = GOAL_S * EVENTS / HOUR
        print(f"reviewed in {took_s:,.1f} s, {cpu_s / EVENTS * 1e6:.2f} µs of one core an event", flush=True)
        return record(
            "review-hour",
            value=cpu_s,
            unit=f"s of one core for {EVENTS:,} events",
            reference="what it may cost",
            reference_value=goal_s,
            goal=1.0,
            better="lower",
        )


def fill(events: int) -> None:
    """Events of the last minutes, as ingest would have stored them; indexes are made when the rows are there."""
    from django.db import connection

    from eventhub.events import partitions

    start = datetime.now(UTC) - timedelta(seconds=events / PER_S + 60)
    partitions.ensure({start.date(), datetime.now(UTC).date()})
    types = [f"{service}.{verb}" for service, verb in zip(SERVICES, VERBS, strict=True)]
    types += [
        f"{service}.{verb}" for service in SERVICES for verb in VERBS if f"{service}.{verb}" not in types
    ][:27]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'events_event' ORDER BY indexname"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        # Each batch of 5,000 has a transaction of its own, as from ingest; so many must have been.
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        txid = cursor.fetchone()[0]
        for _ in range(events // 5_000 + 10):
            cursor.execute("SELECT pg_current_xact_id()")
        for first in range(1, events + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, events)
            values = {"first": first, "last": last, "start": start, "per_s": PER_S, "txid": txid}
            cursor.execute(FILL, values | {"services": SERVICES, "types": types})
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition.replace(" ON ONLY ", " ON "))
        cursor.execute("VACUUM ANALYZE events_event")


def reviewed() -> tuple[float, float]:
    """Review everything in the log: seconds of CPU (this process and its backend), and by the clock."""
    from django.db import connection

    from monitoring.review import running
    from monitoring.review.models import ReviewProgress

    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")  # so that the backend's time is all of it
        cursor.execute("SELECT pg_backend_pid()")
        backend = psutil.Process(cursor.fetchone()[0])
    me = psutil.Process()
    before, began = _cpu_s(me) + _cpu_s(backend), time.monotonic()
    while running.run(run_s=15, settle_s=0, judge_every_s=3_600):
        pass
    read_s, took_s = _cpu_s(me) + _cpu_s(backend) - before, time.monotonic() - began
    before = _cpu_s(me) + _cpu_s(backend)
    for _ in range(JUDGED):
        running.judge()
    judged_s = (_cpu_s(me) + _cpu_s(backend) - before) / JUDGED
    times = EVENTS / PER_S / running.JUDGE_EVERY_S
    looked_at = ReviewProgress.objects.get().looked_at
    if looked_at != EVENTS:
        raise AssertionError(f"{looked_at:,} events were read instead of {EVENTS:,}")
    print(
        f"reading {read_s:.1f} s of one core, judging {times:.0f} times {judged_s:.2f} s; memory "
        f"{me.memory_info().rss / 1e6:,.0f} MB",
        flush=True,
    )
    return read_s + times * judged_s, took_s


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
