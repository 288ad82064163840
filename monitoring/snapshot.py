"""How everything stands at this second: what the Overview shows and every open page gets once a second.

`take` asks a handful of indexed questions about the last minute and a half. What changes slowly (yesterday, the last
day) is asked once a minute and remembered by the minute.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from dlq.counts import OpenLetters, open_letters
from eventhub.brokers.adapter import is_polled
from eventhub.brokers.config import reads
from eventhub.brokers.models import Kind, Source, SourceStatus
from eventhub.handlers.figures import stopped_handlers
from eventhub.traces.processes.figures import stuck_counts
from monitoring.alerts import evaluating
from monitoring.health import Facts, Health, SourceFacts, judge_health
from monitoring.lag.sources import reading as lag
from monitoring.rollups.histogram import percentile
from monitoring.rollups.reading import RECEIVED, Comparison, TypeSeries, compare, dead_letters_by_hour
from monitoring.sources import Standing, alive, judge, last_error

# How much of the past the small charts show.
SECONDS = 90
# Processing times and errors are few a second; they are told of this long, in bins of BIN_S.
RECENT_S = 60
BIN_S = 5
# A rate is smoothed over this.
RATE_S = 5
# The newest seconds are resent each time, because a batch may commit after its second has ended.
TYPE_SECONDS = 15
# Those of them that are not settled yet: the one that runs, and as many before it as `SETTLED_AFTER_S` says.
UNSETTLED = 2
# A second is told when it is this old: ingest commits a second's batches within the next one.
SETTLED_AFTER_S = 1


class Throughput(msgspec.Struct, frozen=True):
    """Events stored a second, without EventHub's own receipts."""

    per_s: float
    spark: list[int]


class Lag(msgspec.Struct, frozen=True):
    """The worst lag of all sources; None where no broker could tell."""

    seconds: float | None
    messages: int | None
    source: str
    topic: str
    spark: list[float | None]


class Errors(msgspec.Struct, frozen=True):
    """Failed deliveries in the last minute; `ratio` is None when none were reported."""

    ratio: float | None
    failed: int
    deliveries: int
    spark: list[float | None]


class Processing(msgspec.Struct, frozen=True):
    """How long services took to process an event in the last minute, in seconds."""

    p50_s: float | None
    p95_s: float | None
    spark: list[float | None]


class DeadLetters(msgspec.Struct, frozen=True):
    """Letters that wait for a person now, how many came since midnight (UTC), and the last 24 hours by hour."""

    open: int
    groups: int
    today: int
    spark: list[int]


class SourceNow(msgspec.Struct, frozen=True):
    """How one source stands."""

    name: str
    href: str
    kind: str
    topics: str
    state: str
    level: str
    advice: str
    # Read by a worker; else written to over HTTP, where nothing can wait.
    is_polled: bool
    workers: int
    per_s: float
    spark: list[int]
    lag_messages: int | None
    lag_s: float | None
    lag_error: str
    last_error: str
    last_error_at: datetime | None


class Recent(msgspec.Struct, frozen=True):
    """The last seconds, for charts to be continued: `start` is the Unix second of each list's first value.

    The last value of each is that of the second that runs, which is told up to `until` (Unix seconds): an event is on
    every open page with the tick after its batch is stored, not when its second is over.
    """

    start: int
    until: float
    types: list[TypeSeries]
    failed: list[int]
    dead_letters: list[int]


class Yesterday(msgspec.Struct, frozen=True):
    """The five minutes around this time a day before."""

    per_s: float | None
    error_ratio: float | None
    processing_p95_s: float | None
    lag_s: float | None


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that is live on a page. Times in UTC, durations in seconds, rates per second."""

    at: datetime
    health: Health
    throughput: Throughput
    lag: Lag
    errors: Errors
    processing: Processing
    dead_letters: DeadLetters
    yesterday: Yesterday
    sources: list[SourceNow]
    type_rates: dict[str, float]
    recent: Recent
    last_event_at: datetime | None
    # For the bell of every page.
    alerts_firing: int = 0


def take(now: datetime | None = None) -> Snapshot:
    """The snapshot of this moment."""
    now = now or timezone.now()
    end = _settled(now)
    minute = now.replace(second=0, microsecond=0)
    totals = _per_second(end)
    recent = _recent(now)
    settled = slice(TYPE_SECONDS - RATE_S, TYPE_SECONDS)
    rates = {one.name: sum(one.counts[settled]) / RATE_S for one in recent.types}
    waiting = lag.latest(now)
    sources = sources_now(now, waiting)
    errors, processing = _errors(totals), _processing(end)
    yesterday, by_hour = _yesterday(minute), _dead_letters_by_hour(minute)
    letters = open_letters()
    throughput = Throughput(
        sum(second["received"] for second in totals[-RATE_S:]) / RATE_S, [s["received"] for s in totals]
    )
    last_event_at = _last_event_at()
    return Snapshot(
        at=now,
        health=judge_health(
            _facts(now, sources, letters, errors, processing, yesterday, throughput, last_event_at)
        ),
        throughput=throughput,
        lag=_worst(waiting, now),
        errors=errors,
        processing=processing,
        dead_letters=DeadLetters(letters.letters, letters.groups, letters.added_today, list(by_hour)),
        yesterday=yesterday,
        sources=sources,
        type_rates={name: rate for name, rate in rates.items() if rate},
        recent=recent,
        last_event_at=last_event_at,
        alerts_firing=evaluating.firing(),
    )


def _settled(now: datetime) -> datetime:
    """The end of the newest second that can be told."""
    return now.replace(microsecond=0) - timedelta(seconds=SETTLED_AFTER_S)


def _per_second(end: datetime) -> list[dict[str, int]]:
    names = ("received", "handled", "failed", "dead_letters")
    start = end - timedelta(seconds=SECONDS)
    sql = f"""
        SELECT extract(epoch FROM date_trunc('second', bucket))::bigint, sum({RECEIVED}), sum(handled), sum(failed),
               sum(dead_letters)
        FROM rollups_rollup WHERE bucket >= %s AND bucket < %s AND grain = 1 GROUP BY 1"""  # noqa: S608 - a constant
    found = {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in _rows(sql, start, end)}
    nothing = dict.fromkeys(names, 0)
    return [found.get(second, nothing) for second in range(int(start.timestamp()), int(end.timestamp()))]


def _recent(now: datetime) -> Recent:
    start = int(_settled(now).timestamp()) - TYPE_SECONDS
    length = TYPE_SECONDS + UNSETTLED
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * length)
    failed, dead_letters = [0] * length, [0] * length
    sql = f"""
        SELECT event_type, extract(epoch FROM date_trunc('second', bucket))::bigint, sum({RECEIVED}), sum(failed),
               sum(dead_letters)
        FROM rollups_rollup WHERE bucket >= %s AND bucket < %s AND grain = 1
        GROUP BY 1, 2"""  # noqa: S608 - a constant
    first = datetime.fromtimestamp(start, UTC)
    for event_type, second, received, fails, dead in _rows(sql, first, first + timedelta(seconds=length)):
        if received:
            counts[event_type][second - start] = int(received)
        failed[second - start] += int(fails)
        dead_letters[second - start] += int(dead)
    types = [TypeSeries(name, values) for name, values in sorted(counts.items())]
    return Recent(start, now.timestamp(), types, failed, dead_letters)


def _errors(totals: list[dict[str, int]]) -> Errors:
    recent = totals[-RECENT_S:]
    failed = sum(second["failed"] for second in recent)
    deliveries = failed + sum(second["handled"] for second in recent)
    spark: list[float | None] = []
    for first in range(0, len(totals), BIN_S):
        seconds = totals[first : first + BIN_S]
        fails, all_of_them = (
            sum(s["failed"] for s in seconds),
            sum(s["failed"] + s["handled"] for s in seconds),
        )
        spark.append(fails / all_of_them if all_of_them else None)
    return Errors(failed / deliveries if deliveries else None, failed, deliveries, spark)


def _processing(end: datetime) -> Processing:
    start = end - timedelta(seconds=RECENT_S)
    bins: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    whole: dict[int, int] = defaultdict(int)
    sql = """
        SELECT floor(extract(epoch FROM bucket - %s) / %s)::int, h.b, sum(h.c)::bigint
        FROM rollups_rollup, unnest(processing_buckets, processing_counts) AS h(b, c)
        WHERE bucket >= %s AND bucket < %s AND grain = 1 GROUP BY 1, 2 ORDER BY 1, 2"""
    for position, bucket, number in _rows(sql, start, BIN_S, start, end):
        bins[position][0].append(bucket)
        bins[position][1].append(number)
        whole[bucket] += number
    buckets = sorted(whole)
    counts = [whole[bucket] for bucket in buckets]
    spark = [percentile(*bins[i], 0.95) if i in bins else None for i in range(RECENT_S // BIN_S)]
    return Processing(percentile(buckets, counts, 0.5), percentile(buckets, counts, 0.95), spark)


def sources_now(now: datetime, waiting: dict[int, lag.SourceLag] | None = None) -> list[SourceNow]:
    """How every source stands; `waiting` is what `lag.latest` says, where it was asked already."""
    waiting = lag.latest(now) if waiting is None else waiting
    end = _settled(now)
    start = end - timedelta(seconds=SECONDS)
    bins = SECONDS // BIN_S
    received: dict[int, list[int]] = defaultdict(lambda: [0] * bins)
    sql = """
        SELECT origin_id, floor(extract(epoch FROM bucket - %s) / %s)::int, sum(received + dead_letters)
        FROM rollups_rollup WHERE bucket >= %s AND bucket < %s AND grain = 1 GROUP BY 1, 2"""
    for origin, position, number in _rows(sql, start, BIN_S, start, end):
        received[origin][position] = int(number)
    statuses: dict[int, list[SourceStatus]] = defaultdict(list)
    for status in SourceStatus.objects.all():
        statuses[status.source_id].append(status)
    return [
        _source(
            source,
            judge(source, statuses[source.pk], now),
            statuses[source.pk],
            received[source.pk],
            waiting.get(source.pk, lag.UNKNOWN),
            now,
        )
        for source in Source.objects.exclude(kind=Kind.HANDLERS)
    ]


def _source(
    source: Source,
    standing: Standing,
    statuses: list[SourceStatus],
    received: list[int],
    waiting: lag.SourceLag,
    now: datetime,
) -> SourceNow:
    error, error_at = last_error(statuses)
    return SourceNow(
        name=source.name,
        href=reverse("source", args=[source.name]),
        kind=source.get_kind_display(),
        topics=", ".join(reads(source)),
        state=standing.word,
        level=standing.level,
        advice=standing.advice,
        is_polled=is_polled(source),
        workers=len(alive(statuses, now)),
        per_s=received[-1] / BIN_S,
        spark=received,
        lag_messages=waiting.messages,
        lag_s=waiting.seconds,
        lag_error=waiting.error,
        last_error=error,
        last_error_at=error_at,
    )


def _worst(waiting: dict[int, lag.SourceLag], now: datetime) -> Lag:
    known = [one for one in waiting.values() if one.messages is not None]
    spark = lag.worst_series(now)
    if not known:
        return Lag(None, None, "", "", spark)
    worst = max(known, key=lambda one: (one.seconds or 0, one.messages or 0))
    return Lag(worst.seconds, worst.messages, worst.source, worst.topic, spark)


def _facts(
    now: datetime,
    sources: list[SourceNow],
    letters: OpenLetters,
    errors: Errors,
    processing: Processing,
    yesterday: Yesterday,
    throughput: Throughput,
    last_event_at: datetime | None,
) -> Facts:
    return Facts(
        sources=[
            SourceFacts(s.name, s.state, s.level, s.last_error, s.href, s.lag_s, s.lag_messages, s.per_s)
            for s in sources
        ],
        dead_letters_open=letters.letters,
        dead_letter_groups=letters.groups,
        failed=errors.failed,
        error_ratio=errors.ratio,
        processing_p95_s=processing.p95_s,
        yesterday=Comparison(yesterday.per_s, yesterday.error_ratio, yesterday.processing_p95_s),
        silent_for_s=(now - last_event_at).total_seconds() if last_event_at else None,
        per_s=throughput.per_s,
        dead_letters_href=_href("dead-letters"),
        failures_href=_href("traces", "?state=failed"),
        sources_href=_href("sources"),
        stopped_handlers=[(name, reverse("handler", args=[name])) for name in stopped_handlers()],
        stuck_processes=[
            (name, number, f"{reverse('process', args=[pk])}?state=stuck")
            for pk, name, number in stuck_counts()
        ],
    )


def _href(name: str, query: str = "") -> str:
    return reverse(name) + query


# What lies a day back does not change any more: one answer a minute serves every snapshot of that minute.
@lru_cache(maxsize=2)
def _yesterday(minute: datetime) -> Yesterday:
    then = compare(minute - timedelta(minutes=5), minute)
    worst = lag.worst_between(minute - timedelta(days=1, minutes=5), minute - timedelta(days=1))
    return Yesterday(then.per_s, then.error_ratio, then.processing_p95_s, worst)


@lru_cache(maxsize=2)
def _dead_letters_by_hour(minute: datetime) -> tuple[int, ...]:
    return tuple(dead_letters_by_hour(minute))


def _last_event_at() -> datetime | None:
    # One small row a type instead of the event table.
    ((at,),) = _rows("SELECT max(last_seen_at) FROM schemas_eventtype")
    return at.astimezone(UTC) if at else None


def _rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
