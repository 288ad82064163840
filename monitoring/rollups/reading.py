"""Sums over rollups: every number and chart that a page shows.

Rows are deltas of any grain, so each question is one SUM over a range of `bucket` (index ``rollup_bucket``). Events of
the system's own (``eventhub.*``, the receipts) are left out of what counts events; what they report is in `handled`,
`failed` and the processing histograms of the types they are about.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from django.db import connection

from monitoring.rollups.histogram import percentile
from monitoring.rollups.windows import Window, ceil_to, floor_to

Histogram = Literal["processing", "arrival"]
Group = Literal["event_type", "service", "origin_id", "broker"]

# The name under which the less busy types of a chart are summed.
OTHER = "other"
# Events of the business, not EventHub's own receipts.
RECEIVED = "CASE WHEN event_type LIKE 'eventhub.%%' THEN 0 ELSE received END"


class Totals(msgspec.Struct, frozen=True):
    """Sums over a stretch of time."""

    received: int = 0
    size_bytes: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    handled: int = 0
    failed: int = 0

    @property
    def error_ratio(self) -> float | None:
        """Failed deliveries of all that were reported; None where none were."""
        deliveries = self.handled + self.failed
        return self.failed / deliveries if deliveries else None


class GroupTotals(msgspec.Struct, frozen=True):
    """Totals of one event type, service, source or broker (`key`), with its median and 95th percentile in seconds."""

    key: str
    totals: Totals
    p50_s: float | None = None
    p95_s: float | None = None


class TypeSeries(msgspec.Struct, frozen=True):
    """Events of one type in each step of a window."""

    name: str
    counts: list[int]


class Series(msgspec.Struct, frozen=True):
    """What happened in each step of a window. All lists are as long as `times` (Unix seconds)."""

    step_s: int
    times: list[int]
    types: list[TypeSeries]
    failed: list[int]
    dead_letters: list[int]


class Comparison(msgspec.Struct, frozen=True):
    """The same stretch of time a day before, as rates; None where nothing was recorded then."""

    per_s: float | None = None
    error_ratio: float | None = None
    processing_p95_s: float | None = None
    dead_letters: int | None = None


def totals(start: datetime, end: datetime) -> Totals:
    """Sums over everything between two moments."""
    return _totals("", start, end).get(None, Totals())


def chosen_totals(
    start: datetime, end: datetime, *, event_type: str = "", service: str = "", origin_id: int | None = None
) -> Totals:
    """Sums over what is of one event type, service or source; of everything where none is named."""
    where, values = _chosen(start, end, event_type, service, origin_id)
    sql = f"""
        SELECT sum({RECEIVED}), sum(size_bytes), sum(duplicates), sum(dead_letters), sum(handled), sum(failed)
        FROM rollups_rollup WHERE {where}"""  # noqa: S608 - constants
    (sums,) = _rows(sql, values)
    return Totals(*(int(value or 0) for value in sums))


def chosen_histogram(
    which: Histogram,
    start: datetime,
    end: datetime,
    *,
    event_type: str = "",
    service: str = "",
    origin_id: int | None = None,
) -> tuple[list[int], list[int]]:
    """One histogram of the same choice."""
    where, values = _chosen(start, end, event_type, service, origin_id)
    sql = f"""
        SELECT h.b, sum(h.c) FROM rollups_rollup, unnest({which}_buckets, {which}_counts) AS h(b, c)
        WHERE {where} GROUP BY 1 ORDER BY 1"""  # noqa: S608 - constants
    rows = _rows(sql, values)
    return [bucket for bucket, _ in rows], [int(count) for _, count in rows]


def _chosen(
    start: datetime, end: datetime, event_type: str, service: str, origin_id: int | None
) -> tuple[str, list[Any]]:
    where, values = _where(start, end, origin_id)
    for column, value in (("event_type", event_type), ("service", service)):
        if value:
            where, values = f"{where} AND {column} = %s", [*values, value]
    return where, values


def totals_by(group: Group, start: datetime, end: datetime) -> list[GroupTotals]:
    """Sums per event type, service, source or broker, with percentiles of processing, the busiest first."""
    sums = _totals(group, start, end)
    shapes = histograms("processing", start, end, group)
    found = [
        GroupTotals(str(key or ""), total, *percentiles(shapes.get(key, ([], [])), 0.5, 0.95))
        for key, total in sums.items()
    ]
    return sorted(found, key=lambda one: (-one.totals.received, one.key))


def series(
    window: Window,
    *,
    until: datetime | None = None,
    origin_id: int | None = None,
    most_types: int = 10,
    system: bool = False,
) -> Series:
    """Events by type in each step; all but the `most_types` busiest types are summed as "other".

    `until` leaves out what is newer, inside the window; `origin_id` asks of one source only; `system` counts
    EventHub's own events too.
    """
    received = "received" if system else RECEIVED
    end = window.end if until is None else min(until, window.end)
    where, values = _where(window.start, end, origin_id)
    sql = f"""
        SELECT (floor(extract(epoch FROM bucket) / %s) * %s)::bigint AS t, event_type,
               sum({received}), sum(failed), sum(dead_letters)
        FROM rollups_rollup WHERE {where} GROUP BY 1, 2"""  # noqa: S608 - both are our own constants
    times = window.times
    place = {t: index for index, t in enumerate(times)}
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * len(times))
    failed, dead_letters = [0] * len(times), [0] * len(times)
    for t, event_type, events, fails, dead in _rows(sql, [window.step_s, window.step_s, *values]):
        index = place[t]
        failed[index] += int(fails)
        dead_letters[index] += int(dead)
        if events:
            counts[event_type][index] = int(events)
    return Series(window.step_s, times, _busiest(counts, most_types), failed, dead_letters)


def percentile_series(window: Window, q: float, which: Histogram = "processing") -> list[float | None]:
    """The `q`-quantile of each step in seconds; None where nothing was measured."""
    sql = f"""
        SELECT (floor(extract(epoch FROM bucket) / %s) * %s)::bigint AS t, h.b, sum(h.c)
        FROM rollups_rollup, unnest({which}_buckets, {which}_counts) AS h(b, c)
        WHERE bucket >= %s AND bucket < %s GROUP BY 1, 2 ORDER BY 1, 2"""  # noqa: S608 - a literal of two
    shapes: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for t, bucket, count in _rows(sql, [window.step_s, window.step_s, window.start, window.end]):
        shapes[t][0].append(bucket)
        shapes[t][1].append(int(count))
    return [percentile(*shapes[t], q) if t in shapes else None for t in window.times]


def histograms(
    which: Histogram, start: datetime, end: datetime, group: Group | Literal[""] = ""
) -> dict[Any, tuple[list[int], list[int]]]:
    """One merged histogram per group; the whole under the key None without one."""
    sql = f"""
        SELECT {group or "NULL"}, h.b, sum(h.c)
        FROM rollups_rollup, unnest({which}_buckets, {which}_counts) AS h(b, c)
        WHERE bucket >= %s AND bucket < %s GROUP BY 1, 2 ORDER BY 1, 2"""  # noqa: S608 - literals
    shapes: dict[Any, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for key, bucket, count in _rows(sql, [start, end]):
        shapes[key][0].append(bucket)
        shapes[key][1].append(int(count))
    return shapes


def percentiles(shape: tuple[Sequence[int], Sequence[int]], *qs: float) -> list[float | None]:
    """Several quantiles of one histogram, in seconds."""
    return [percentile(*shape, q) for q in qs]


def compare(start: datetime, end: datetime, ago: timedelta = timedelta(days=1)) -> Comparison:
    """What the same stretch was a day before, widened to the buckets that are left of that time."""
    start, end = _widened(start - ago, end - ago)
    then = totals(start, end)
    if not then.received and not then.handled and not then.failed:
        return Comparison()
    shape = histograms("processing", start, end).get(None, ([], []))
    return Comparison(
        per_s=then.received / (end - start).total_seconds(),
        error_ratio=then.error_ratio,
        processing_p95_s=percentile(*shape, 0.95),
        dead_letters=then.dead_letters,
    )


def dead_letters_by_hour(end: datetime, hours: int = 24) -> list[int]:
    """How many dead letters came in each of the `hours` hours before `end`, the last one last."""
    sql = """
        SELECT floor(extract(epoch FROM %s - bucket) / 3600)::int, sum(dead_letters)
        FROM rollups_rollup WHERE bucket > %s AND bucket <= %s AND dead_letters > 0 GROUP BY 1"""
    start = end - timedelta(hours=hours)
    found = {ago: int(letters) for ago, letters in _rows(sql, [end, start, end])}
    return [found.get(ago, 0) for ago in reversed(range(hours))]


def deliveries_by_service(
    services: Sequence[str], start: datetime, end: datetime, step_s: int
) -> dict[str, list[int]]:
    """Deliveries that succeeded or failed in each step of `step_s` seconds, by the service that reported them."""
    sql = """
        SELECT service, floor(extract(epoch FROM bucket - %s) / %s)::int, sum(handled + failed)
        FROM rollups_rollup WHERE bucket >= %s AND bucket < %s AND service = ANY(%s) GROUP BY 1, 2"""
    steps = max(1, round((end - start).total_seconds() / step_s))
    found = {service: [0] * steps for service in services}
    for service, step, count in _rows(sql, [start, step_s, start, end, list(services)]):
        found[service][min(step, steps - 1)] += int(count)
    return found


def has_any_before(at: datetime) -> bool:
    """Whether anything was recorded before a moment."""
    ((found,),) = _rows("SELECT EXISTS (SELECT 1 FROM rollups_rollup WHERE bucket < %s)", [at])
    return bool(found)


def coarsest_grain(start: datetime, end: datetime) -> int:
    """The widest bucket in a stretch, in seconds: a chart's step must not be finer."""
    (row,) = _rows("SELECT max(grain) FROM rollups_rollup WHERE bucket >= %s AND bucket < %s", [start, end])
    return row[0] or 1


def _widened(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    # Looks an hour back, because an hour's bucket that holds `start` begins before it.
    grain = coarsest_grain(start - timedelta(hours=1), end)
    return floor_to(start, grain), ceil_to(end, grain)


def _totals(group: Group | Literal[""], start: datetime, end: datetime) -> dict[Any, Totals]:
    # Per source and broker everything that came counts, receipts too: that is what they had to carry.
    received = "received" if group in ("origin_id", "broker") else RECEIVED
    sql = f"""
        SELECT {group or "NULL"}, sum({received}), sum(size_bytes), sum(duplicates), sum(dead_letters),
               sum(handled), sum(failed)
        FROM rollups_rollup WHERE bucket >= %s AND bucket < %s GROUP BY 1"""  # noqa: S608 - literals
    return {key: Totals(*map(int, sums)) for key, *sums in _rows(sql, [start, end])}


def _busiest(counts: dict[str, list[int]], most: int) -> list[TypeSeries]:
    ordered = sorted(counts.items(), key=lambda item: (-sum(item[1]), item[0]))
    # One type more than fits is not worth an "other" of its own.
    head, tail = (ordered, []) if len(ordered) <= most + 1 else (ordered[:most], ordered[most:])
    shown = [TypeSeries(name, values) for name, values in head]
    if tail:
        shown.append(TypeSeries(OTHER, _added(values for _, values in tail)))
    return shown


def _added(rows: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


def _where(start: datetime, end: datetime, origin_id: int | None) -> tuple[str, list[Any]]:
    if origin_id is None:
        return "bucket >= %s AND bucket < %s", [start, end]
    return "bucket >= %s AND bucket < %s AND origin_id = %s", [start, end, origin_id]


def _rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
