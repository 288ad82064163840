"""The flow in numbers: how often each way was taken over a range, how long it took, how often it failed."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from time import monotonic

import msgspec
from django.core.cache import cache
from django.db import connection

from eventhub.traces.flow.keeping import numbers_of
from eventhub.traces.models import Grain, HopKind
from monitoring.rollups.histogram import percentile

# Longer ranges are read in hours.
MINUTES_UP_TO = timedelta(hours=3)
# What "usual" means: the last days, and at least so many hops.
USUAL_OVER = timedelta(days=7)
LEAST = 20
CACHED_S = 30
# So long a process believes what it read of it itself: reading it again takes longer than reading a small trace.
HERE_S = 5


_here: tuple[float, dict[tuple[str, str], "Usual"]] = (0.0, {})


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One way over a range. See ``models.Hop`` for what it leads from and to."""

    kind: str
    from_type: str
    from_service: str
    to_type: str
    to_service: str
    count: int
    failed: int
    buckets: list[int]
    counts: list[int]

    def percentile_s(self, q: float) -> float | None:
        """How long it took, at a quantile 0…1; None where nobody knows."""
        return percentile(self.buckets, self.counts, q)


class Usual(msgspec.Struct, frozen=True):
    """How a hop usually goes."""

    count: int
    p50_s: float
    p95_s: float
    p99_s: float


def edges(start: datetime, end: datetime) -> list[Edge]:
    """Every way taken in [start, end), by event time; buckets that the range cuts count whole."""
    grain = Grain.MINUTE if end - start <= MINUTES_UP_TO else Grain.HOUR
    first = start.replace(second=0, microsecond=0)
    if grain == Grain.HOUR:
        first = first.replace(minute=0)
    sums: dict[tuple[str, ...], tuple[list[int], Counter[int]]] = defaultdict(lambda: ([0, 0], Counter()))
    with connection.cursor() as cursor:
        cursor.execute(  # hop_once (grain, bucket, …)
            """SELECT kind, from_type, from_service, to_type, to_service, count, failed, buckets, counts
               FROM traces_hop WHERE grain = %s AND bucket >= %s AND bucket < %s""",
            [grain, first, end],
        )
        for kind, from_type, from_service, to_type, to_service, count, failed, buckets, counts in cursor:
            numbers, histogram = sums[kind, from_type, from_service, to_type, to_service]
            numbers[0] += count
            numbers[1] += failed
            for bucket, times in zip(numbers_of(buckets), numbers_of(counts), strict=True):
                histogram[bucket] += times
    return [
        Edge(
            kind=key[0],
            from_type=key[1],
            from_service=key[2],
            to_type=key[3],
            to_service=key[4],
            count=numbers[0],
            failed=numbers[1],
            buckets=sorted(histogram),
            counts=[histogram[bucket] for bucket in sorted(histogram)],
        )
        for key, (numbers, histogram) in sorted(sums.items())
    ]


def usual_hops(now: datetime | None = None) -> dict[tuple[str, str], Usual]:
    """How long hops between two event types usually take, as learned over the last days; remembered for a while."""
    global _here
    if monotonic() < _here[0]:
        return _here[1]
    known: dict[tuple[str, str], Usual] | None = cache.get("traces.usual")
    if known is None:
        now = now or datetime.now(UTC)
        known = usual_of(edges(now - USUAL_OVER, now + timedelta(hours=1)))
        cache.set("traces.usual", known, CACHED_S if known else 2)
    _here = (monotonic() + (HERE_S if known else 0), known)
    return known


def forget_usual() -> None:
    """Ask anew next time."""
    global _here
    cache.delete("traces.usual")
    _here = (0.0, {})


def usual_of(all_edges: Iterable[Edge]) -> dict[tuple[str, str], Usual]:
    """The usual of each hop, over all services; hops that were seen too rarely say nothing."""
    together: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for edge in all_edges:
        if edge.kind == HopKind.HOP and edge.from_type:
            together[edge.from_type, edge.to_type].update(dict(zip(edge.buckets, edge.counts, strict=True)))
    found = {}
    for hop, histogram in together.items():
        buckets = sorted(histogram)
        counts = [histogram[bucket] for bucket in buckets]
        if (total := sum(counts)) < LEAST:
            continue
        p50_s, p95_s, p99_s = (percentile(buckets, counts, q) or 0.0 for q in (0.5, 0.95, 0.99))
        found[hop] = Usual(total, p50_s, p95_s, p99_s)
    return found
