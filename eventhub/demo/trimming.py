"""How long the shop's streams may grow: long enough for every reader, and never for ever."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

log = logging.getLogger(__name__)

KEEP = 100_000
# What a reader that never comes back can cost at most: a few hundred megabytes.
CAP = 500_000
EVERY_S = 10.0


def entries_to_keep(length: int, unread: Sequence[int | None], *, keep: int = KEEP, cap: int = CAP) -> int:
    """How many of a stream's `length` entries to keep.

    `unread` is, for each consumer group, what it has not acknowledged; None when Redis cannot tell, which is taken
    as all of it.
    """
    longest = max((length if waiting is None else waiting for waiting in unread), default=0)
    return min(cap, max(keep, longest + keep // 10))


async def trim_forever(redis: Any, topics: Sequence[str], *, awaited: Mapping[str, str]) -> None:
    """Trim `topics` now and then. `awaited`: the group of a topic that is waited for also before it first comes."""
    while True:
        await asyncio.sleep(EVERY_S)
        for topic in topics:
            try:
                await _trim(redis, topic, awaited.get(topic))
            except ResponseError as error:
                log.debug("%s is not trimmed: %s", topic, error)  # it does not exist yet
            except (RedisError, OSError):
                break


async def _trim(redis: Any, topic: str, awaited_group: str | None) -> None:
    length = await redis.xlen(topic)
    if length <= KEEP:
        return
    unread: list[int | None] = []
    groups = await redis.xinfo_groups(topic)
    for group in groups:
        lag = group.get("lag")
        unread.append(None if lag is None else int(lag) + int(group["pending"]))
    if awaited_group and not any(_text(group["name"]) == awaited_group for group in groups):
        unread.append(None)
    await redis.xtrim(topic, maxlen=entries_to_keep(length, unread), approximate=True)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
