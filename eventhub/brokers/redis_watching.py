"""What waits on a Redis: every group of every stream that is there, whoever's they are.

Redis has no list of its streams. They are found by SCAN, which goes on at each look where the one before stopped: so a
Redis that holds millions of other keys is never asked for long, and its streams are all known after a few looks.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import msgspec
import redis
from django.core.cache import cache

from eventhub.brokers.adapter import Lag

SCAN_AT_ONCE = 2_000
SCAN_FOR_S = 0.3
REMEMBERED_S = 3_600
NOBODY_READS = "No consumer group reads it."


class Walk(msgspec.Struct):
    """How far the keys were looked through, and the streams among them."""

    cursor: int = 0
    # Of the last whole walk, and of the one under way.
    known: list[str] = []
    found: list[str] = []


def streams_there(client: Any, name: str, own: Sequence[str]) -> list[str]:
    """The streams on this Redis, as far as they are known, with a source's `own` ones.

    `name` is what the Redis is called; the walk is remembered by it. Without the right to SCAN only `own` are known.
    """
    key = f"redis-streams:{hashlib.sha256(name.encode()).hexdigest()[:24]}"
    packed = cache.get(key)
    walk = msgspec.msgpack.decode(packed, type=Walk) if packed else Walk()
    until = monotonic() + SCAN_FOR_S
    try:
        while True:
            walk.cursor, keys = client.scan(cursor=walk.cursor, count=SCAN_AT_ONCE, _type="stream")
            walk.found += [stream.decode("utf-8", "replace") for stream in keys]
            if walk.cursor == 0:
                walk.known, walk.found = sorted(set(walk.found)), []
            if walk.cursor == 0 or monotonic() > until:
                break
    except redis.ResponseError:  # NOPERM
        return list(own)
    cache.set(key, msgspec.msgpack.encode(walk), REMEMBERED_S)
    return sorted({*walk.known, *walk.found, *own})


def lags_of(client: Any, streams: Sequence[str]) -> list[Lag]:
    """What waits for each group of these streams, in two round trips. A stream that is not there is left out.

    What may not be asked about has None and the reason.
    """
    now = datetime.now(UTC)
    with client.pipeline(transaction=False) as pipeline:
        for stream in streams:
            pipeline.xinfo_stream(stream)
            pipeline.xinfo_groups(stream)
        replies = pipeline.execute(raise_on_error=False)
    found: list[Lag] = []
    asked: list[tuple[str, dict[str, Any], str]] = []
    for stream, about, groups in zip(streams, replies[::2], replies[1::2], strict=True):
        if isinstance(about, redis.ResponseError) or isinstance(groups, redis.ResponseError):
            error = about if isinstance(about, redis.ResponseError) else groups
            if "no such key" not in str(error).lower():
                found.append(Lag(stream, "", None, why_unknown=f"Redis refused: {error}"))
            continue
        end = about["last-generated-id"].decode()
        asked += [(stream, group, end) for group in groups]
        if not groups:
            found.append(Lag(stream, "", None, end=end, why_unknown=NOBODY_READS))
    with client.pipeline(transaction=False) as pipeline:
        for stream, group, _ in asked:
            pipeline.xrange(stream, min=f"({group['last-delivered-id'].decode()}", count=1)
            pipeline.xpending(stream, group["name"])
        replies = pipeline.execute(raise_on_error=False)
    for (stream, group, end), waiting, pending in zip(asked, replies[::2], replies[1::2], strict=True):
        found.append(
            _lag(stream, group, end, [] if isinstance(waiting, Exception) else waiting, pending, now)
        )
    return found


def _lag(
    stream: str, group: dict[str, Any], end: str, waiting: list[Any], pending: Any, now: datetime
) -> Lag:
    oldest = [entry_id.decode() for entry_id, _ in waiting]
    if isinstance(pending, dict) and pending["min"]:
        oldest.append(pending["min"].decode())
    ages = [now - time for entry_id in oldest if (time := time_of(entry_id))]
    return Lag(
        topic=stream,
        group=group["name"].decode("utf-8", "replace"),
        messages=group.get("lag"),
        pending=group["pending"],
        oldest_age=max(ages, default=timedelta()),
        position=group["last-delivered-id"].decode(),
        end=end,
    )


def time_of(entry_id: str) -> datetime | None:
    """When Redis took the entry: an id begins with the milliseconds since 1970; None for a producer's own odd id."""
    try:
        return datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
