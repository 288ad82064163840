"""Redis Streams as the shop's message bus: consumer groups in, atomic commits out.

What a service does because of one event reaches Redis in one MULTI: its follow-up events, its receipt, the mark
"done" and the acknowledgement. So a crash either leaves all of it or none, and the event is delivered again.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Protocol

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import RedisError, ResponseError

from eventhub.demo.faults import Entry

log = logging.getLogger(__name__)

READ_COUNT = 200
BLOCK_MS = 1000
ANSWER_WITHIN_S = 10.0
COMMANDS_PER_FLUSH = 1000
# How many processed event ids each service remembers: most of a day at the usual rate, and never more than ~8 MB.
REMEMBERED = 50_000
DONE_KEY = "shop:done:{}"
FAILED_KEY = "shop:failed:{}"
RELAY_KEY = "shop:relayed"
NUMBER_KEY = "shop:order-number"
FIRST_ORDER_NUMBER = 8400
# Where what is told on a topic that lives on another broker waits for its carrier (eventhub/demo/carrying.py).
OUTBOX = "{}.out"


class Delivery(msgspec.Struct, frozen=True):
    """One message handed to one service."""

    topic: str
    entry_id: str
    body: bytes
    headers: dict[str, str]

    @property
    def place(self) -> str:
        """Where it is: entry ids alone are the same in streams that were written to together."""
        return f"{self.topic}/{self.entry_id}"


class Commit(msgspec.Struct, frozen=True):
    """What happens together, or not at all."""

    entries: tuple[Entry, ...] = ()
    # The service that commits, and what it acknowledges.
    service: str = ""
    acknowledged: tuple[Delivery, ...] = ()
    # The event id that it has now processed for good, or given up on.
    done: str | None = None
    failed: str | None = None
    # How far the outbox relay got.
    relayed: int | None = None


class Memory(msgspec.Struct, frozen=True):
    """What a service knows about some event ids."""

    done: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()


class Bus(Protocol):
    """What a service needs of a message bus."""

    async def read(self, service: str, topics: Sequence[str]) -> list[Delivery]:
        """New messages, or after a restart those not acknowledged; waits about a second for the first."""

    async def commit(self, commit: Commit) -> None:
        """Returns when it is done, however long the broker is away."""

    async def memory_of(self, service: str, event_ids: Sequence[str]) -> Memory:
        """Which of these the service has processed or given up on before."""


class BusUnavailable(Exception):
    """The broker cannot be reached now; try again."""


class RedisBus:
    """The bus on a real Redis. `elsewhere` are the topics for which it is only the way to another broker."""

    def __init__(self, url: str, elsewhere: frozenset[str] = frozenset()) -> None:
        self.elsewhere = elsewhere
        # Answers are timed here (`_answer`), not by redis-py: what it uses for that, asyncio.wait_for, can lose a
        # cancellation before Python 3.12, and then the shop does not stop.
        self.redis: Any = Redis.from_url(url, socket_timeout=None, socket_connect_timeout=3)
        self._waiting: list[tuple[Commit, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        # Per service and topic: the entry id after which its unacknowledged messages are read again.
        self._recovering: dict[tuple[str, str], str] = {}
        self._consuming: set[tuple[str, str]] = set()

    async def is_new(self) -> bool:
        """Whether this shop has never been open on this Redis."""
        return not await _answer(self.redis.exists(NUMBER_KEY))

    async def next_numbers(self, count: int, *, above: int = 0) -> range:
        """`count` order numbers that nobody else has, all greater than `above`."""
        last = await _answer(self.redis.incrby(NUMBER_KEY, count))
        floor = max(above, FIRST_ORDER_NUMBER)
        if last - count < floor:
            last = await _answer(self.redis.incrby(NUMBER_KEY, floor - (last - count)))
        return range(last - count + 1, last + 1)

    async def relayed(self) -> int | None:
        """The outbox id up to which events were relayed; None before the first."""
        value = await _answer(self.redis.get(RELAY_KEY))
        return None if value is None else int(value)

    async def join(self, service: str, topics: Iterable[str], *, start: str = "$") -> None:
        """Make the service's consumer group on each topic, beginning at `start` where it is new."""
        for topic in topics:
            self._consuming.add((service, topic))
            self._recovering[service, topic] = "0"
            try:
                await _answer(self.redis.xgroup_create(topic, service, id=start, mkstream=True))
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def read(self, service: str, topics: Sequence[str]) -> list[Delivery]:
        """See Bus. Raises BusUnavailable."""
        recovering = {
            topic: self._recovering[service, topic]
            for topic in topics
            if (service, topic) in self._recovering
        }
        try:
            answer = await _answer(
                self.redis.xreadgroup(
                    service,
                    f"{service}-1",
                    recovering or dict.fromkeys(topics, ">"),
                    count=READ_COUNT,
                    block=BLOCK_MS,
                )
            )
        except ResponseError as error:
            if "NOGROUP" in str(error):  # Redis lost its data: begin again with what there is now
                await self._rejoin(service, topics)
                return []
            raise BusUnavailable(str(error)) from error
        except (RedisError, OSError) as error:
            # What was on its way when the connection broke is pending: read it again first.
            self._recovering.update({(service, topic): "0" for topic in topics})
            raise BusUnavailable(str(error)) from error
        deliveries = [delivery for topic, entries in _streams(answer) for delivery in _read(topic, entries)]
        for topic in recovering:
            mine = [delivery.entry_id for delivery in deliveries if delivery.topic == topic]
            if mine:
                self._recovering[service, topic] = mine[-1]
            else:
                del self._recovering[service, topic]
        return deliveries

    async def _rejoin(self, service: str, topics: Sequence[str]) -> None:
        try:
            await self.join(service, topics, start="0")
        except (RedisError, OSError) as error:
            raise BusUnavailable(str(error)) from error

    async def memory_of(self, service: str, event_ids: Sequence[str]) -> Memory:
        """See Bus. Raises BusUnavailable."""
        if not event_ids:
            return Memory()
        pipe = self.redis.pipeline(transaction=False)
        pipe.zmscore(DONE_KEY.format(service), list(event_ids))
        pipe.zmscore(FAILED_KEY.format(service), list(event_ids))
        try:
            done, failed = await _answer(pipe.execute())
        except (RedisError, OSError) as error:
            raise BusUnavailable(str(error)) from error
        return Memory(_scored(event_ids, done), _scored(event_ids, failed))

    async def commit(self, commit: Commit) -> None:
        """See Bus. Commits that wait at the same moment travel together."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((commit, future))
        self._wake.set()
        await future

    async def flush_forever(self) -> None:
        """Carry what waits to Redis; runs as long as the shop is open."""
        flushes = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:COMMANDS_PER_FLUSH], self._waiting[COMMANDS_PER_FLUSH:]
                await self._flush([commit for commit, _ in batch])
                for _, future in batch:
                    if not future.done():
                        future.set_result(None)
            flushes += 1
            if flushes % 200 == 0:
                await self._forget()

    async def _flush(self, commits: Sequence[Commit]) -> None:
        delay_s = 0.1
        while True:
            pipe = self.redis.pipeline(transaction=True)
            for commit in commits:
                _add(pipe, commit, self.elsewhere)
            try:
                results = await _answer(pipe.execute(raise_on_error=False))
            except (RedisGone, OSError) as error:
                log.warning("Redis does not answer (%s); trying again in %.1f s", error, delay_s)
            except RedisError as error:
                log.warning("Redis refuses (%s); trying again in %.1f s", error, delay_s)
            else:
                # A group that is gone makes its acknowledgement fail, which harms nothing.
                for problem in {str(result) for result in results if isinstance(result, RedisError)}:
                    log.warning("Redis refused a command: %s", problem)
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2.0, delay_s * 2)

    async def _forget(self) -> None:
        pipe = self.redis.pipeline(transaction=False)
        for service in {service for service, _ in self._consuming}:
            pipe.zremrangebyrank(DONE_KEY.format(service), 0, -REMEMBERED - 1)
            pipe.zremrangebyrank(FAILED_KEY.format(service), 0, -REMEMBERED - 1)
        try:
            await _answer(pipe.execute())
        except (RedisError, OSError) as error:
            log.warning("Redis does not answer (%s); old marks stay a little longer", error)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.redis.aclose()


async def _answer(command: Awaitable[Any]) -> Any:
    """Redis's answer. Raises TimeoutError, which is an OSError, when it does not come."""
    async with asyncio.timeout(ANSWER_WITHIN_S):
        return await command


def _add(pipe: Any, commit: Commit, elsewhere: frozenset[str]) -> None:
    for entry in commit.entries:
        topic = OUTBOX.format(entry.topic) if entry.topic in elsewhere else entry.topic
        pipe.xadd(topic, {"body": entry.body, **entry.headers})
    now = time.time()
    if commit.done:
        pipe.zadd(DONE_KEY.format(commit.service), {commit.done: now})
        pipe.zrem(FAILED_KEY.format(commit.service), commit.done)
    if commit.failed:
        pipe.zadd(FAILED_KEY.format(commit.service), {commit.failed: now})
    if commit.relayed is not None:
        pipe.set(RELAY_KEY, commit.relayed)
    for topic in {delivery.topic for delivery in commit.acknowledged}:
        ids = [delivery.entry_id for delivery in commit.acknowledged if delivery.topic == topic]
        pipe.xack(topic, commit.service, *ids)


def _streams(answer: Any) -> list[tuple[str, Any]]:
    """XREADGROUP's answer as pairs, in either form that redis-py gives it."""
    if not answer:
        return []
    if isinstance(answer, dict):
        return [
            (name.decode(), [entry for part in parts for entry in part]) for name, parts in answer.items()
        ]
    return [(name.decode(), entries) for name, entries in answer]


def _read(topic: str, entries: Any) -> list[Delivery]:
    deliveries = []
    for entry_id, fields in entries:
        headers = {
            name.decode(errors="replace").lower(): value.decode(errors="replace")
            for name, value in (fields or {}).items()
            if name != b"body"
        }
        # Without fields: trimmed away since it was delivered. It is read as empty, and acknowledged as unreadable.
        deliveries.append(Delivery(topic, entry_id.decode(), (fields or {}).get(b"body", b""), headers))
    return deliveries


def _scored(event_ids: Sequence[str], scores: Sequence[float | None]) -> frozenset[str]:
    return frozenset(event_id for event_id, score in zip(event_ids, scores, strict=True) if score is not None)
