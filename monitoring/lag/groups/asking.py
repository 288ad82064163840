"""Every few seconds each broker is asked about all its consumer groups and queues.

A broker that several sources read from is asked once. What is needed to judge the next answer is kept in the cache;
how things stand, and a row a minute of each group, in the database.
"""

import hashlib
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.utils import timezone

from eventhub.brokers.adapter import BrokerError, Lag, WatchesAll, is_polled, open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets.scrubbing import scrub
from monitoring.lag.groups.looking import GroupNow, Memory, look, topics_of
from monitoring.lag.models import WatchedBroker, WatchedGroup

log = logging.getLogger(__name__)

# A broker with a thousand groups has to answer within five seconds; one that does not is told so.
TIMEOUT_S = 10.0
MEMORY_LASTS_S = 900
# A group that its broker names no longer is forgotten after this.
FORGET_AFTER = timedelta(hours=24)
# What has no queue that could grow.
NOT_WATCHED = (Kind.HTTP, Kind.HANDLERS)

# One statement writes the minute of every group of a broker: the most that was seen in it.
MINUTES = """
INSERT INTO monitoring_groupminute AS m (group_id, minute, status, messages, seconds)
SELECT id, %s, status, messages, seconds FROM monitoring_watchedgroup WHERE broker_id = %s AND looked_at = %s
ON CONFLICT (group_id, minute) DO UPDATE SET status = excluded.status,
    messages = greatest(m.messages, excluded.messages), seconds = greatest(m.seconds, excluded.seconds)
"""


class Answer(msgspec.Struct, frozen=True):
    """What one broker said."""

    lags: list[Lag]
    took_s: float


def watch(timeout_s: float = TIMEOUT_S) -> int:
    """Ask every broker that an enabled source reads from, and store how its groups stand.

    Returns how many brokers could tell. One that hangs does not hold up the others.
    """
    brokers = _brokers()
    pool = ThreadPoolExecutor(max_workers=max(1, len(brokers)), thread_name_prefix="watch")
    asked = {key: pool.submit(_ask, adapter) for key, adapter in brokers.items()}
    wait(asked.values(), timeout=timeout_s)
    pool.shutdown(wait=False)
    told = sum([_store(kind, name, future, timeout_s) for (kind, name), future in asked.items()])
    _forget(timezone.now())
    return told


def _brokers() -> dict[tuple[str, str], Any]:
    """One adapter for each broker, by its kind and name."""
    found: dict[tuple[str, str], Any] = {}
    for source in Source.objects.filter(enabled=True).exclude(kind__in=NOT_WATCHED).order_by("pk"):
        if not is_polled(source):
            continue
        try:
            adapter = open_adapter(source, consumer="eventhub-watch")
        except BrokerError as error:
            _note_failure(source.kind, source.name, str(error))
            continue
        # What cannot tell of all is asked as the source that it is.
        name = adapter.broker if isinstance(adapter, WatchesAll) else source.name
        if (source.kind, name) in found:
            adapter.close()
        else:
            found[source.kind, name] = adapter
    return found


def _ask(adapter: Any) -> Answer:
    began = time.monotonic()
    try:
        lags = adapter.everything() if isinstance(adapter, WatchesAll) else adapter.lag()
        return Answer(lags, time.monotonic() - began)
    finally:
        adapter.close()
        connections.close_all()


def _store(kind: str, name: str, asked: "Future[Answer]", timeout_s: float) -> bool:
    try:
        if not asked.done():
            raise BrokerError(f"The broker has not answered for {timeout_s:.0f} s.")
        answer = asked.result()
    except BrokerError as error:
        _note_failure(kind, name, str(error))
        return False
    except Exception as error:  # whatever an adapter raises, the other brokers are told of
        log.exception("Watching %s %s failed", kind, name)
        _note_failure(kind, name, scrub(f"{type(error).__name__}: {error}"))
        return False
    now = timezone.now()
    memory, groups = look(_remembered(kind, name), answer.lags, now.timestamp())
    cache.set(_cache_key(kind, name), msgspec.msgpack.encode(memory), MEMORY_LASTS_S)
    with transaction.atomic():
        broker, _ = WatchedBroker.objects.update_or_create(
            kind=kind, name=name, defaults={"asked_at": now, "took_s": answer.took_s, "error": ""}
        )
        store_groups(broker, groups, now)
    return True


def store_groups(broker: WatchedBroker, groups: list[GroupNow], now: datetime) -> None:
    """Write how `groups` of a broker stand, and their minute. Call it in a transaction."""
    before = {
        group: (status, since)
        for group, status, since in broker.groups.values_list("name", "status", "since")
    }
    rows = []
    for group in groups:
        status, since = before.get(group.name, ("", now))
        rows.append(
            WatchedGroup(
                broker=broker,
                name=group.name,
                looked_at=now,
                status=group.status,
                since=since if status == group.status else now,
                messages=group.messages,
                seconds=group.seconds,
                pending=group.pending,
                delayed=group.delayed,
                consumers=group.consumers,
                in_per_s=group.in_per_s,
                out_per_s=group.out_per_s,
                growth_per_s=group.growth_per_s,
                capacity=group.capacity,
                topics=topics_of(group),
                parts=msgspec.to_builtins(group.parts),
            )
        )
    changing = [
        field.name
        for field in WatchedGroup._meta.concrete_fields
        if field.name not in ("id", "broker", "name")
    ]
    WatchedGroup.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["broker", "name"], update_fields=changing
    )
    with connection.cursor() as cursor:
        cursor.execute(MINUTES, [now.replace(second=0, microsecond=0), broker.pk, now])


def _note_failure(kind: str, name: str, error: str) -> None:
    WatchedBroker.objects.update_or_create(
        kind=kind, name=name, defaults={"asked_at": timezone.now(), "error": error[:2000]}
    )


def _remembered(kind: str, name: str) -> Memory:
    packed = cache.get(_cache_key(kind, name))
    try:
        return msgspec.msgpack.decode(packed, type=Memory) if packed else Memory()
    except msgspec.DecodeError:  # of another version
        return Memory()


def _cache_key(kind: str, name: str) -> str:
    return f"watch:{kind}:{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def _forget(now: datetime) -> None:
    WatchedGroup.objects.filter(looked_at__lt=now - FORGET_AFTER).delete()
    WatchedBroker.objects.filter(asked_at__lt=now - FORGET_AFTER).delete()
