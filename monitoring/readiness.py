"""Whether EventHub can do its work: database, Redis, and somebody who takes events in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from eventhub.brokers.models import SourceStatus
from eventhub.running.heartbeat import living_ingest_workers

TIMEOUT_S = 3.0
ALIVE_FOR = timedelta(seconds=10)


class NotReady(Exception):
    """A part is missing. The text says what to do."""


@login_not_required
@never_cache
@require_safe
async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part is there, else 503; the JSON says which is missing and what to do."""
    missing = await missing_parts()
    response = JsonResponse(
        {"ready": not missing, "missing": missing, "parts": sorted(PARTS)}, status=503 if missing else 200
    )
    # Django would log each 503 as an error; to whoever asks every second it is an answer.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


async def missing_parts() -> dict[str, str]:
    """What is missing, by part, each with what to do about it. All parts are asked at the same time."""
    answers = await asyncio.gather(*(_reason(check) for check in PARTS.values()))
    missing = {part: reason for part, reason in zip(PARTS, answers, strict=True) if reason}
    if "database" in missing and "redis" in missing:
        missing["ingest"] = "Unknown while neither database nor Redis answers."
    return missing


async def _reason(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await check()
    except NotReady as error:
        return str(error)
    except TimeoutError:
        return f"No answer within {TIMEOUT_S:g} s."
    return None


async def _check_database() -> None:
    try:
        await _in_thread(_select_one)
    except DatabaseError as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NotReady(
            f"PostgreSQL does not answer ({first_line}). Check that it runs and that DATABASE_URL is right."
        ) from error


async def _check_redis() -> None:
    try:
        async with redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        ) as client:
            await client.ping()
    except (redis.exceptions.RedisError, OSError) as error:
        raise NotReady(
            f"Redis does not answer ({error}). Check that it runs and that REDIS_URL is right."
        ) from error


async def _check_ingest() -> None:
    """A worker says in Redis that it lives, and in the database that it reads a source. Either is enough."""
    try:
        if await living_ingest_workers():
            return
    except (redis.exceptions.RedisError, OSError):
        pass  # told by the check of Redis
    try:
        if await _in_thread(_some_source_is_read):
            return
    except DatabaseError:
        return  # told by the check of the database
    raise NotReady(
        "No ingest worker is alive. Start one: celery -A eventhub worker --ingest --pool threads -c 1 -Q ingest"
    )


PARTS: dict[str, Callable[[], Awaitable[None]]] = {
    "database": _check_database,
    "redis": _check_redis,
    "ingest": _check_ingest,
}


async def _in_thread(question: Callable[[], Any]) -> Any:
    """Ask on a thread of its own: a request that hangs on the database must not hold up this one."""

    def ask() -> Any:
        try:
            return question()
        finally:
            connection.close()  # back to the pool

    return await sync_to_async(ask, thread_sensitive=False)()


def _select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _some_source_is_read() -> bool:
    return SourceStatus.objects.filter(heartbeat_at__gt=timezone.now() - ALIVE_FOR).exists()
