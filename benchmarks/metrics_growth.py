"""What metrics cost when a hub has stored 20,000,000 events, beside what they cost when it had stored 200,000.

Both hubs take in the same traffic; the larger one has done so for a hundred times as long. So both hold the same last
hours, and are asked the same questions about them; the larger one holds the days before as well, in minutes and hours,
as the merge task leaves them. Pages read rollups and never events, so the rollups are what is filled.

Both hubs' rollups lie in the database at once, each in a table of its own that takes the name by turns: so whatever
else the machine does meanwhile slows both alike.
"""

import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from benchmarks import stage
from benchmarks.record import record

SMALL, LARGE = 200_000, 20_000_000
TYPES, SERVICES = 12, 4
# A whole number a type in every bucket: two seconds of a type hold four events, a minute 120.
EVENTS_PER_S = 24.0
# The seconds and minutes at the ends of what is filled are cut to whole buckets.
NEAR_ENOUGH = 0.01
# How often the hubs take turns at a question, and how often each is asked then.
TURNS, ROUNDS = 3, 5
RANGES = ("5m", "15m", "1h")
LONG_RANGES = ("24h", "7d", "90d")

# Rows as the writers and the merge task leave them: one a bucket, type and service, with both histograms. A type has
# events in every other second.
FILL = """
INSERT INTO rollups_rollup (grain, bucket, origin_id, broker, event_type, service, received, size_bytes, duplicates,
    dead_letters, invalid, handled, failed, arrival_buckets, arrival_counts, processing_buckets, processing_counts)
SELECT %(grain)s, t, %(origin)s, 'redis', 'order.type' || k, 'service' || k %% %(services)s, n, n * 400, 0, 0, 0, n, 0,
    ARRAY[-120, -115, -110, -100], ARRAY[n, n, n, 1], ARRAY[-90, -85, -80, -60], ARRAY[n, n, n, 1]
FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz, %(step)s * interval '1 second') t,
     generate_series(1, %(types)s) k,
     LATERAL (SELECT (%(per_s)s * greatest(%(grain)s, 2) / %(types)s)::bigint AS n) counted
WHERE %(grain)s > 1 OR (extract(epoch FROM t)::bigint + k) %% 2 = 0
"""


def run() -> bool:
    """The dearest question's ratio between the two hubs, in milliseconds of the server; at most 1.3 is allowed."""
    with stage.services():
        now = datetime.now().astimezone().replace(microsecond=0)
        fill(now, SMALL)
        _lay_aside()
        fill(now, LARGE)
        small, large = _costs()
        _tell_long_ranges()
    ratios = {name: large[name] / small[name] for name in small}
    for name in sorted(ratios, key=lambda name: -ratios[name]):
        print(f"{small[name]:8.1f} ms → {large[name]:8.1f} ms  × {ratios[name]:.2f}  {name}", flush=True)
    worst = max(ratios, key=lambda name: ratios[name])
    return record(
        "metrics-growth",
        value=large[worst],
        unit="ms",
        reference=f"{worst} at {SMALL:,} events",
        reference_value=small[worst],
        goal=1.3,
        better="lower",
    )


def fill(now: datetime, total: int) -> None:
    """The rollups of a hub that has stored `total` events up to `now`, and nothing else in the table."""
    from django.core.cache import cache
    from django.db import connection

    from eventhub.brokers.models import Kind, Source
    from eventhub.schemas.models import EventType
    from monitoring.rollups.merging import KEEP_MINUTES, KEEP_SECONDS

    source, _ = Source.objects.get_or_create(name="shop", kind=Kind.REDIS, config={"streams": ["shop"]})
    EventType.objects.get_or_create(name="order.type1", defaults={"last_seen_at": now})
    start = now - timedelta(seconds=total / EVENTS_PER_S)
    seconds_begin = (now - KEEP_SECONDS).replace(second=0)
    minutes_begin = (now - KEEP_MINUTES).replace(minute=0, second=0)
    stretches = (
        (1, 1, max(start, seconds_begin), now + timedelta(minutes=6)),
        (60, 60, max(start, minutes_begin), seconds_begin - timedelta(seconds=60)),
        (3600, 3600, start.replace(minute=0, second=0), minutes_begin - timedelta(hours=1)),
    )
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE rollups_rollup")
        for grain, step, begin, end in stretches:
            values: dict[str, Any] = {
                "grain": grain,
                "step": step,
                "start": begin,
                "end": end,
                "origin": source.pk,
            }
            values |= {"types": TYPES, "services": SERVICES, "per_s": EVENTS_PER_S}
            cursor.execute(FILL, values)
        cursor.execute("VACUUM ANALYZE rollups_rollup")
        cursor.execute("SELECT count(*), sum(received) FROM rollups_rollup WHERE bucket < %s", [now])
        rows, events = cursor.fetchone()
    if abs(events - total) > NEAR_ENOUGH * total:
        raise AssertionError(f"{events:,} events were filled in, not {total:,}")
    cache.clear()
    print(f"{int(events):,} events in {rows:,} rows of rollups", flush=True)


def _lay_aside() -> None:
    """Keep the rollups that are there as the other hub's, and make an empty table in their place."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rollups_rollup RENAME TO rollups_other")
        cursor.execute("CREATE TABLE rollups_rollup (LIKE rollups_other INCLUDING ALL)")


def _take_turns() -> None:
    """Let the other hub's rollups be the ones that are asked."""
    from django.core.cache import cache
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE rollups_rollup RENAME TO rollups_aside")
        cursor.execute("ALTER TABLE rollups_other RENAME TO rollups_rollup")
        cursor.execute("ALTER TABLE rollups_aside RENAME TO rollups_other")
    cache.clear()


def _costs() -> tuple[dict[str, float], dict[str, float]]:
    """The median of each question in milliseconds, of the smaller hub and the larger one, which is there at the end."""
    from django.utils import timezone

    from monitoring.alerts.conditions import findings
    from monitoring.alerts.models import AlertRule, Condition, Metric
    from monitoring.snapshot import take

    client = _client()
    rule = AlertRule(
        name="r", condition=Condition.THRESHOLD, metric=Metric.PROCESSING_P95, above=9.0, window_s=300
    )
    pages = [f"/?range={one}" for one in RANGES]
    pages += [f"/overview/series?range={one}" for one in RANGES]
    pages += [f"/figures/series?range={one}" for one in RANGES]
    pages += ["/figures/?range=1h&broker=redis", "/figures/series?range=1h&type=order.type1&compare=day"]
    pages += [
        "/sources/",
        "/sources/shop/?range=1h",
        "/lag/",
        "/metrics",
        "/api/metrics/summary",
        "/handlers/",
    ]
    questions: dict[str, Callable[[], object]] = {page: partial(_get, client, page) for page in pages}
    questions["the snapshot of a second"] = take
    questions["an alert rule"] = lambda: findings(rule, timezone.now())
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in questions}
    for name, ask in questions.items():
        for _ in range(TURNS):
            for hub in (0, 1):
                _take_turns()
                times[name][hub].extend(_times_ms(ask))
    small, large = ({name: statistics.median(both[hub]) for name, both in times.items()} for hub in (0, 1))
    return small, large


def _tell_long_ranges() -> None:
    """What the larger hub is asked about days of which the smaller one knows nothing, in milliseconds."""
    client = _client()
    for one in LONG_RANGES:
        for page in (f"/?range={one}", f"/figures/series?range={one}"):
            print(
                f"{statistics.median(_times_ms(partial(_get, client, page))):8.1f} ms  {page} of {LARGE:,} events",
                flush=True,
            )


def _client() -> object:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    user, _ = User.objects.get_or_create(username="bench", defaults={"is_staff": True})
    client.force_login(user)
    return client


def _get(client: object, page: str) -> None:
    response = client.get(page)  # type: ignore[attr-defined]
    if response.status_code != 200:
        raise AssertionError(f"{page} answers {response.status_code}")


def _times_ms(ask: Callable[[], object]) -> list[float]:
    """How long some answers took; the first two, which fill caches, are not counted."""
    times = []
    for n in range(ROUNDS + 2):
        started = time.perf_counter()
        ask()
        if n >= 2:
            times.append((time.perf_counter() - started) * 1000)
    return times
