"""An ingest worker says that it lives: a key in Redis that expires unless it is renewed.

The rows of `SourceStatus` say which sources are read; this says that somebody is there to read them even while no
source is enabled. It is written on Celery's own heartbeat, so a worker whose event loop hangs falls silent.
"""

import logging
from contextlib import suppress
from typing import Any

import redis
import redis.asyncio
from celery.signals import celeryd_init, heartbeat_sent, worker_shutting_down
from django.conf import settings

logger = logging.getLogger(__name__)

KEY_PREFIX = "eventhub:ingest:worker:"
# Celery's heart beats every two seconds.
EXPIRES_S = 10
TIMEOUT_S = 2.0


async def living_ingest_workers() -> list[str]:
    """The names of the ingest workers that said so within the last ten seconds. Raises RedisError, OSError."""
    async with redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, decode_responses=True
    ) as client:
        keys = [key async for key in client.scan_iter(f"{KEY_PREFIX}*", count=1000)]
    return sorted(key.removeprefix(KEY_PREFIX) for key in keys)


def connect() -> None:
    """Have every worker that is started with ``--ingest`` in this process write its key."""
    celeryd_init.connect(_begin, weak=False)


def _begin(sender: str, options: dict[str, Any], **kwargs: Any) -> None:
    if not options.get("ingest"):
        return
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )
    key = f"{KEY_PREFIX}{sender}"

    def beat(**kwargs: Any) -> None:
        try:
            client.set(key, 1, ex=EXPIRES_S)
        except (redis.exceptions.RedisError, OSError) as error:
            logger.warning("Redis does not take the heartbeat of %s: %s", sender, error)

    def leave(**kwargs: Any) -> None:
        with suppress(redis.exceptions.RedisError, OSError):  # it expires by itself
            client.delete(key)

    heartbeat_sent.connect(beat, weak=False)
    worker_shutting_down.connect(leave, weak=False)
