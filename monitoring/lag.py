"""What waits on the brokers: asked every few seconds, kept for a day, told as messages and as seconds.

None means that nobody could tell, which is not the same as zero.
"""

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, connections, transaction
from django.utils import timezone

from eventhub.brokers.adapter import BrokerError, Lag, is_polled, open_adapter
from eventhub.brokers.models import Source
from eventhub.brokers.secrets.scrubbing import scrub
from monitoring.models import LagProbe, LagSample

log = logging.getLogger(__name__)

# A broker that does not answer within this is reported as such; the others are not held up by it.
TIMEOUT_S = 4.0
# A sample older than this says nothing about now.
FRESH_FOR = timedelta(seconds=30)
# A day, and the hour around the same time yesterday.
KEPT_FOR = timedelta(hours=25)
SERIES_FOR = timedelta(minutes=10)
SERIES_STEP_S = 5

# Some brokers tell of every group that reads a topic; a source is as far behind as EventHub's own group.
OWN = """(CASE s.kind
    WHEN 'redis' THEN l."group" = coalesce(s.config ->> 'group', 'eventhub')
    WHEN 'kafka' THEN l."group" = coalesce(s.config ->> 'group', 'eventhub.' || s.name)
    WHEN 'rabbitmq' THEN l."group" = coalesce(s.config ->> 'queue', 'eventhub.' || s.name)
    ELSE true END)"""

_asking: dict[int, Future[list[Lag]]] = {}
_asking_lock = threading.Lock()


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


# -- Asking the brokers --------------------------------------------------------------------------


def sample(timeout_s: float = TIMEOUT_S) -> int:
    """Ask the broker of every enabled source at once, store what they say, forget what is old.

    Returns how many sources could tell. One that hangs is left to its thread and not asked again meanwhile.
    """
    sources = [source for source in Source.objects.filter(enabled=True) if is_polled(source)]
    # Not used as a context manager: leaving that would wait for a broker that hangs.
    pool = ThreadPoolExecutor(max_workers=max(1, len(sources)), thread_name_prefix="lag")
    with _asking_lock:
        started = {
            source: pool.submit(_ask, source)
            for source in sources
            if source.pk not in _asking or _asking[source.pk].done()
        }
        _asking.update({source.pk: future for source, future in started.items()})
    wait(started.values(), timeout=timeout_s)
    pool.shutdown(wait=False)
    now = timezone.now()
    told = 0
    with transaction.atomic():
        for source in sources:
            told += _store(source, started.get(source), timeout_s, now)
        LagSample.objects.filter(at__lt=now - KEPT_FOR).delete()
    return told


def _ask(source: Source) -> list[Lag]:
    try:
        adapter = open_adapter(source, consumer="eventhub-lag")
        try:
            return adapter.lag()
        finally:
            adapter.close()
    finally:
        connections.close_all()  # the outbox asks the database, and nobody else closes a thread's connection


def _store(source: Source, asked: Future[list[Lag]] | None, timeout_s: float, now: datetime) -> bool:
    error, lags = "", []
    if asked is None or not asked.done():
        error = f"The broker has not answered for {timeout_s:.0f} s. Check that it runs and can be reached."
    else:
        try:
            lags = asked.result()
        except BrokerError as failure:
            error = str(failure)
        except Exception as failure:  # whatever an adapter raises, the other sources are told
            log.exception("Asking %s for its lag failed", source.name)
            error = scrub(f"{type(failure).__name__}: {failure}")
    LagSample.objects.bulk_create(
        LagSample(
            at=now,
            source=source,
            topic=lag.topic,
            partition=lag.partition,
            group=lag.group,
            messages=lag.messages,
            pending=lag.pending,
            oldest_age_s=_seconds(lag),
            position=lag.position,
            end=lag.end,
        )
        for lag in lags
    )
    LagProbe.objects.update_or_create(source=source, defaults={"asked_at": now, "error": error[:2000]})
    return not error


def _seconds(lag: Lag) -> float | None:
    if lag.oldest_age is not None:
        return max(0.0, lag.oldest_age.total_seconds())
    return 0.0 if lag.messages == 0 else None


# -- Reading what they said ----------------------------------------------------------------------


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


def source_series(
    source: Source, start: datetime, end: datetime, step_s: int
) -> tuple[list[int | None], list[float | None]]:
    """Messages that waited for `source`, and the longest wait in seconds, in each step; None where unknown."""
    sql = f"""
        SELECT t, max(messages)::bigint, max(seconds) FROM (
            SELECT floor(extract(epoch FROM at - %s) / %s)::int AS t, at, sum(messages) AS messages,
                   max(oldest_age_s) AS seconds
            FROM monitoring_lagsample l JOIN brokers_source s ON s.id = l.source_id
            WHERE source_id = %s AND at >= %s AND at < %s AND {OWN} GROUP BY 1, 2) AS moments
        GROUP BY 1"""  # noqa: S608 - a constant
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
