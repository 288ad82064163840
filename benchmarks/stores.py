"""A large event store, made in minutes: traces of realistic shape, generated inside PostgreSQL.

Sizes are long-tailed (most traces hold a handful of events, some hundreds, a few 10,000), types are a process of a
shop and its side branches, two of a hundred traces fail, and all lie over `DAYS` days up to now. The same number of
traces is always the same store, but for the times.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

DAYS = 20
GIANTS = 5
GIANT_SIZE = 10_000
PER_TRACE = 10
# On the way of an order; events beyond these are of the side branches.
MAIN = (
    "order.placed", "payment.authorized", "inventory.reserved", "order.confirmed", "invoice.issued",
    "shipment.created", "shipment.dispatched", "order.completed", "email.sent", "customer.profile_updated",
)  # fmt: skip
SIDE = (
    "inventory.counted",
    "price.changed",
    "shipment.scanned",
    "parcel.moved",
    "stock.moved",
    "audit.noted",
)
FAILED = "payment.declined"
RARE = "fraud.suspected"

_TRACE = f"""
    SELECT t, CASE WHEN t %% %(every)s = 7 THEN {GIANT_SIZE}
        ELSE least(600, floor(4.3 * power((hashint8(t)::bigint + 2147483648.5) / 4294967296.0, -0.56)))::int
        END AS size,
        hashint8(t * 31 + 5)::bigint + 2147483648 AS dice,
        %(start)s::timestamptz + (t / %(traces)s.0) * %(lasting)s::interval AS began
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS t"""

_EVENTS = f"""
    INSERT INTO {{partition}} (event_id, event_type, event_version, occurred_at, recorded_at, source, correlation_id,
        causation_id, stream, stream_version, data, metadata)
    SELECT
        md5(t || ':' || k)::uuid::text, type, '1', at, at + interval '40 ms', split_part(type, '.', 1),
        'order-' || t || '-' || substr(md5(t::text), 1, 6),
        CASE WHEN k > 1 THEN md5(t || ':' || CASE WHEN k <= 10 THEN k - 1 ELSE k / 2 END)::uuid::text END,
        'order-' || t, k,
        jsonb_build_object('order_id', t, 'customer_id', 'c-' || t %% 50000, 'total', (dice %% 100000) / 100.0,
            'sku', 'A-' || (dice + k) %% 977, 'note', substr(md5(t || 'n' || k), 1, 24)),
        '{{{{}}}}'
    FROM (
        SELECT t, k, dice, least(began + k * interval '190 ms' + (dice %% 1000) * k * interval '40 us',
                                 %(day_end)s::timestamptz - interval '1 ms') AS at,
            CASE WHEN k = 2 AND dice %% 50 = 0 THEN '{FAILED}'
                 WHEN k = 3 AND dice %% 20000 = 1 THEN '{RARE}'
                 WHEN k <= {len(MAIN)} THEN (%(main)s::text[])[k]
                 ELSE (%(side)s::text[])[1 + (dice + k) %% {len(SIDE)}] END AS type
        FROM ({_TRACE}) AS trace CROSS JOIN LATERAL generate_series(1, size) AS k
    ) AS made"""


def correlation_id(trace: int) -> str:
    """The correlation id of a trace of the store, 1…traces."""
    from hashlib import md5

    return f"order-{trace}-{md5(str(trace).encode()).hexdigest()[:6]}"


def empty() -> None:
    """Take out what an earlier store left."""
    from django.db import connection

    from benchmarks import stage
    from eventhub.schemas.models import EventType

    stage.forget_events()
    EventType.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE traces_attributevalue")


def built(folder: Path, events: int) -> "Store":
    """The store of about `events` events on the stage in `folder`: made, or as it was left there.

    A store that was cut off while it was being made is gone on with at the day it had come to.
    """
    note = folder / f"store-{events}.json"
    plan = json.loads(note.read_text()) if note.exists() else {}
    if not plan:
        empty()
        plan = {"until": str(datetime.now(UTC).date()), "indexes": _indexes(), "done": False}
        note.write_text(json.dumps(plan))
    store = Store(events // PER_TRACE, datetime.fromisoformat(plan["until"]).replace(tzinfo=UTC))
    if plan["done"]:
        print(f"{events:,} events are there from before", flush=True)
        return store
    _build(store, plan["indexes"])
    _declare_attributes()
    note.write_text(json.dumps(plan | {"done": True}))
    return store


class Store(msgspec.Struct, frozen=True):
    """A store that was made: how many traces, over the `DAYS` days up to when."""

    traces: int
    until: datetime


def build(events: int) -> int:
    """Fill the empty event store with about `events` events; the number of traces."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    store = Store(events // PER_TRACE, today)
    _build(store, _indexes())
    return store.traces


def _indexes() -> list[list[str]]:
    """Name and definition of each index of the event store."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'events_event' ORDER BY indexname"
        )
        return [list(row) for row in cursor.fetchall()]


def _build(store: Store, indexes: list[list[str]], *, writers: int = 2) -> None:
    """Fill the days that are empty, each in one transaction.

    Indexes are made when the rows are there, which is much faster; the end is the same as if ingest had stored them.
    """
    from django.db import connection

    from eventhub.events import partitions
    from eventhub.schemas.models import EventType

    start = store.until - timedelta(days=DAYS)
    days = [(start + timedelta(days=n)).date() for n in range(DAYS)]
    partitions.ensure(days)
    # Slowest things first: what nobody reads while it is being made needs no log and no index.
    with connection.cursor() as cursor:
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX IF EXISTS {name}")
        missing = []
        for day in days:
            cursor.execute(f"SELECT 1 FROM events_event_{day:%Y%m%d} LIMIT 1")
            missing += [] if cursor.fetchone() else [day]
    began = time.monotonic()
    _in_parallel([partial(_fill, missing[n::writers], start, store.traces) for n in range(writers)])
    print(f"rows of {len(missing)} days {time.monotonic() - began:,.0f} s", flush=True)
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SET max_parallel_maintenance_workers = 2")
        for _, definition in indexes:
            cursor.execute(definition.replace(" ON ONLY ", " ON "))  # on its partitions as well
        cursor.execute("VACUUM (ANALYZE, FREEZE) events_event")
    print(f"indexes {time.monotonic() - began:,.0f} s", flush=True)
    EventType.objects.bulk_create(
        [
            EventType(name=name, last_seen_at=store.until, first_seen_at=start)
            for name in (*MAIN, *SIDE, FAILED, RARE)
        ],
        ignore_conflicts=True,
    )


def _declare_attributes() -> None:
    """Declare what people search the store by, and have the background job fill it."""
    from django.db import connection

    from eventhub.schemas.models import EventType
    from eventhub.traces import attributes
    from eventhub.traces.models import SearchableAttribute

    placed = EventType.objects.get(name="order.placed")
    for name in ("order_id", "customer_id"):
        SearchableAttribute.objects.get_or_create(event_type=placed, name=name, path=name)
    began = time.monotonic()
    while attributes.fill_older(60.0, known_after_s=0):
        pass
    print(f"searchable attributes {time.monotonic() - began:,.0f} s", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE traces_attributevalue")


def _fill(days: list[date], start: datetime, traces: int) -> None:
    from django.db import connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            for day in days:
                number = (day - start.date()).days
                first, last = number * traces // DAYS, (number + 1) * traces // DAYS - 1
                cursor.execute(
                    _EVENTS.format(partition=f"events_event_{day:%Y%m%d}").replace("{{", "{").replace("}}", "}"),
                    {
                        "first": first, "last": last, "traces": traces, "start": start,
                        "lasting": f"{DAYS} days", "every": max(traces // GIANTS, GIANT_SIZE // 10),
                        "main": list(MAIN), "side": list(SIDE),
                        "day_end": datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1),
                    },
                )  # fmt: skip
    finally:
        connection.close()


def _in_parallel(tasks: Sequence[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - told by the caller
            failures.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
