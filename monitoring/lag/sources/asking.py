"""Every few seconds the broker of each source is asked what waits there for EventHub; kept for a day, then thinner.

None means that nobody could tell, which is not the same as zero.
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import connection, connections, transaction
from django.utils import timezone

from eventhub.brokers.adapter import BrokerError, Lag, is_polled, open_adapter
from eventhub.brokers.models import Source
from eventhub.brokers.secrets.scrubbing import scrub
from monitoring.lag.models import LagProbe, LagSample

log = logging.getLogger(__name__)

# A broker that does not answer within this is reported as such; the others are not held up by it.
TIMEOUT_S = 4.0
# A day, and the hour around the same time yesterday.
KEPT_FOR = timedelta(hours=25)

# Some brokers tell of every group that reads a topic; a source is as far behind as EventHub's own group.
OWN = """(CASE s.kind
    WHEN 'redis' THEN l."group" = coalesce(s.config ->> 'group', 'eventhub')
    WHEN 'kafka' THEN l."group" = coalesce(s.config ->> 'group', 'eventhub.' || s.name)
    WHEN 'rabbitmq' THEN l."group" = coalesce(s.config ->> 'queue', 'eventhub.' || s.name)
    ELSE true END)"""

# One statement writes the minute of every source: the most that waited at any moment of it.
MINUTES = f"""
INSERT INTO monitoring_sourceminute AS m (source_id, minute, messages, seconds)
SELECT l.source_id, %s, sum(l.messages)::bigint, max(l.oldest_age_s)
FROM monitoring_lagsample l JOIN brokers_source s ON s.id = l.source_id WHERE l.at = %s AND {OWN} GROUP BY 1
ON CONFLICT (source_id, minute) DO UPDATE SET
    messages = greatest(m.messages, excluded.messages), seconds = greatest(m.seconds, excluded.seconds)
"""  # noqa: S608 - a constant

_asking: dict[int, Future[list[Lag]]] = {}
_asking_lock = threading.Lock()


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
        with connection.cursor() as cursor:
            cursor.execute(MINUTES, [now.replace(second=0, microsecond=0), now])
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
