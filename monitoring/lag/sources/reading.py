"""What waits for EventHub in each source: now, by topic, and over time, in messages and in seconds.

None means that nobody could tell, which is not the same as zero.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone

from eventhub.brokers.models import Source
from monitoring.lag import thinning
from monitoring.lag.sources.asking import KEPT_FOR, OWN

# A sample older than this says nothing about now.
FRESH_FOR = timedelta(seconds=30)
SERIES_FOR = timedelta(minutes=10)
SERIES_STEP_S = 5

# What waited for one source at each moment of a range: lag_by_source (source_id, at), source_minute_once.
SAMPLES = f"""
    SELECT at, sum(messages) AS messages, max(oldest_age_s) AS seconds
    FROM monitoring_lagsample l JOIN brokers_source s ON s.id = l.source_id
    WHERE source_id = %s AND at >= %s AND at < %s AND {OWN} GROUP BY 1"""  # noqa: S608 - a constant
HISTORY = """
    SELECT minute AS at, messages, seconds FROM monitoring_sourceminute
    WHERE source_id = %s AND minute >= %s AND minute < %s"""


class SourceLag(msgspec.Struct, frozen=True):
    """What waits for one source: messages in all its topics, the longest wait, and the topic where that is."""

    source: str
    topic: str
    messages: int | None
    seconds: float | None
    error: str = ""


class TopicLag(msgspec.Struct, frozen=True):
    """What waits on one topic (or one partition of it) of a source."""

    # Whether EventHub's own group waits for it, or another reader's.
    is_own: bool
    topic: str
    partition: int | None
    group: str
    at: datetime
    messages: int | None
    pending: int | None
    seconds: float | None
    # Where the group stands and where the topic ends; empty where the broker does not number its messages.
    position: str
    end: str


UNKNOWN = SourceLag("", "", None, None)


def latest(now: datetime | None = None) -> dict[int, SourceLag]:
    """What waits for EventHub in each source now, by the source's id; those nothing is known of are left out."""
    now = now or timezone.now()
    names = """
        SELECT s.id, s.name, p.error FROM monitoring_lagprobe p
        JOIN brokers_source s ON s.id = p.source_id WHERE p.asked_at > %s"""
    by_source: dict[int, list[TopicLag]] = {}
    for pk, one in _latest_rows(now):
        if one.is_own:
            by_source.setdefault(pk, []).append(one)
    return {
        pk: _sum(name, by_source.get(pk, []), error)
        for pk, name, error in _rows(names, [now - FRESH_FOR])
        if error or pk in by_source
    }


def latest_by_topic(source: Source, now: datetime | None = None) -> list[TopicLag]:
    """What waits on each topic of `source`, for EventHub first, then for other groups; the longest wait first."""
    found = [one for pk, one in _latest_rows(now or timezone.now()) if pk == source.pk]
    return sorted(
        found,
        key=lambda one: (not one.is_own, -(one.seconds or 0), -(one.messages or 0), one.topic, one.group),
    )


def worst_series(now: datetime) -> list[float | None]:
    """The longest wait of any source over the last ten minutes, in seconds, every five seconds."""
    start = now - SERIES_FOR
    sql = f"""
        SELECT floor(extract(epoch FROM at - %s) / %s)::int, max(oldest_age_s)
        FROM monitoring_lagsample l JOIN brokers_source s ON s.id = l.source_id
        WHERE at >= %s AND at < %s AND {OWN} GROUP BY 1"""  # noqa: S608 - a constant
    found = dict(_rows(sql, [start, SERIES_STEP_S, start, now]))
    return [found.get(i) for i in range(int(SERIES_FOR.total_seconds()) // SERIES_STEP_S)]


def least_step_s(start: datetime, now: datetime) -> int:
    """The finest step in which what waited since `start` can be told, in seconds."""
    return SERIES_STEP_S if start >= now - KEPT_FOR else thinning.grain_s(start, now)


def source_series(
    source: Source, start: datetime, end: datetime, step_s: int
) -> tuple[list[int | None], list[float | None]]:
    """Messages that waited for `source`, and the longest wait in seconds, in each step; None where unknown.

    Steps of a minute and longer are read from the history, which goes further back than the samples.
    """
    moments = HISTORY if step_s >= 60 else SAMPLES
    sql = f"""
        SELECT floor(extract(epoch FROM at - %s) / %s)::int, max(messages)::bigint, max(seconds)
        FROM ({moments}) AS moments GROUP BY 1"""  # noqa: S608 - constants
    found = {t: (m, s) for t, m, s in _rows(sql, [start, step_s, source.pk, start, end])}
    steps = range(int((end - start).total_seconds()) // step_s)
    nothing = (None, None)
    return [found.get(i, nothing)[0] for i in steps], [found.get(i, nothing)[1] for i in steps]


def worst_between(start: datetime, end: datetime) -> float | None:
    """The longest wait of any source between two moments, in seconds."""
    sql = f"""
        SELECT max(oldest_age_s) FROM monitoring_lagsample l JOIN brokers_source s ON s.id = l.source_id
        WHERE at >= %s AND at < %s AND {OWN}"""  # noqa: S608 - a constant
    ((seconds,),) = _rows(sql, [start, end])
    return None if seconds is None else float(seconds)


def _latest_rows(now: datetime) -> list[tuple[int, TopicLag]]:
    # Only the newest answer of each broker: what it no longer names is gone, not waiting.
    sql = f"""
        SELECT l.source_id, {OWN}, l.topic, l.partition, l."group", l.at, l.messages, l.pending, l.oldest_age_s,
            l.position, l."end"
        FROM monitoring_lagprobe p
        JOIN monitoring_lagsample l ON l.source_id = p.source_id AND l.at = p.asked_at
        JOIN brokers_source s ON s.id = p.source_id WHERE p.asked_at > %s"""  # noqa: S608 - a constant
    return [(pk, TopicLag(*values)) for pk, *values in _rows(sql, [now - FRESH_FOR])]


def _sum(name: str, lags: Iterable[TopicLag], error: str) -> SourceLag:
    lags = list(lags)
    messages = [lag.messages for lag in lags if lag.messages is not None]
    seconds = [lag.seconds for lag in lags if lag.seconds is not None]
    worst = max(lags, key=lambda lag: (lag.seconds or 0, lag.messages or 0), default=None)
    return SourceLag(
        source=name,
        topic=worst.topic if worst else "",
        messages=sum(messages) if messages else None,
        seconds=max(seconds) if seconds else None,
        error=error,
    )


def _rows(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
