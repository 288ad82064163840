"""How long it takes from a cause to its effect: by hop, and over time. The learner counts; this only sums up."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from django.db import connection

from eventhub.traces.flow.figures import MINUTES_UP_TO, Edge, edges
from eventhub.traces.flow.keeping import numbers_of
from eventhub.traces.flow.learning import SECONDS_FOR
from eventhub.traces.models import Grain, HopKind
from monitoring.rollups.histogram import percentile
from monitoring.rollups.windows import Window, ceil_to, floor_to

QUANTILES = (0.5, 0.95, 0.99)
# Fewer than these make no 95th percentile worth a place among the slowest.
FEWEST = 5
# Longer ranges are told by the minute.
SECONDS_UP_TO = timedelta(minutes=16)


class HopTime(msgspec.Struct, frozen=True):
    """A hop between two event types, over all services: how often it was taken and how long it took, in seconds."""

    from_type: str
    to_type: str
    count: int
    p50_s: float
    p95_s: float
    p99_s: float


class HopSeries(msgspec.Struct, frozen=True):
    """The quantiles of each step, in seconds; None where no hop ended. `times` are Unix seconds."""

    step_s: int
    times: list[int]
    quantiles: list[list[float | None]]


def hop_times(start: datetime, end: datetime, *, to_type: str = "", to_service: str = "") -> list[HopTime]:
    """The hops of a range whose times are known, those that take longest first."""
    return of_edges(edges(start, end), to_type=to_type, to_service=to_service)


def of_edges(ways: Iterable[Edge], *, to_type: str = "", to_service: str = "") -> list[HopTime]:
    """The hops among `ways`, the slowest first; with `to_type` or `to_service` only those that lead there."""
    together: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for way in ways:
        if way.kind != HopKind.HOP or not way.from_type:
            continue
        if (not to_type or way.to_type == to_type) and (not to_service or way.to_service == to_service):
            together[way.from_type, way.to_type].update(dict(zip(way.buckets, way.counts, strict=True)))
    found = []
    for (cause, effect), histogram in together.items():
        buckets = sorted(histogram)
        counts = [histogram[bucket] for bucket in buckets]
        if sum(counts) >= FEWEST:
            found.append(
                HopTime(
                    cause, effect, sum(counts), *(percentile(buckets, counts, q) or 0.0 for q in QUANTILES)
                )
            )
    return sorted(found, key=lambda hop: (-hop.p95_s, hop.from_type, hop.to_type))


def hop_series(window: Window, *, to_type: str = "", to_service: str = "") -> HopSeries:
    """How long the hops to a type or service took in each step, by event time; never finer than what is kept."""
    grain = _grain(window, datetime.now(UTC))
    step_s = max(window.step_s, int(grain))
    start, end = floor_to(window.start, step_s), ceil_to(window.end, step_s)
    steps: dict[int, Counter[int]] = defaultdict(Counter)
    wanted = [(name, value) for name, value in (("to_type", to_type), ("to_service", to_service)) if value]
    also = "".join(f" AND {name} = %s" for name, _ in wanted)
    with connection.cursor() as cursor:
        cursor.execute(  # hop_once (grain, bucket, …)
            f"""SELECT bucket, buckets, counts FROM traces_hop
                WHERE grain = %s AND bucket >= %s AND bucket < %s AND kind = %s AND from_type <> ''{also}""",  # noqa: S608
            [grain, start, end, HopKind.HOP, *(value for _, value in wanted)],
        )
        for bucket, buckets, counts in cursor:
            histogram = dict(zip(numbers_of(buckets), numbers_of(counts), strict=True))
            steps[int(floor_to(bucket, step_s).timestamp())].update(histogram)
    times = list(range(int(start.timestamp()), int(end.timestamp()), step_s))
    return HopSeries(step_s, times, [[_quantile(steps.get(t), q) for t in times] for q in QUANTILES])


def _grain(window: Window, now: datetime) -> Grain:
    length = window.end - window.start
    # A quarter of an hour of seconds is read in no time; hours of them are not.
    if length <= SECONDS_UP_TO and window.start >= now - SECONDS_FOR:
        return Grain.SECOND
    return Grain.MINUTE if length <= MINUTES_UP_TO + timedelta(minutes=1) else Grain.HOUR


def _quantile(histogram: Counter[int] | None, q: float) -> float | None:
    if not histogram:
        return None
    buckets = sorted(histogram)
    return percentile(buckets, [histogram[bucket] for bucket in buckets], q)
