"""The whole shop in one process: the services, the storefront, the relay, the trimming; opened and closed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from redis.exceptions import RedisError

from eventhub.demo.bus import Commit, RedisBus
from eventhub.demo.carrying import FROM_THE_PAST, Carriers
from eventhub.demo.database import Database, Unavailable
from eventhub.demo.elsewhere import Elsewhere, carried_topics
from eventhub.demo.models import Order
from eventhub.demo.rehearsal import AFTERMATH_S, Cast, assemble, rehearse
from eventhub.demo.relay import ORDER_FEED, last_row, relay_forever
from eventhub.demo.service import Shop, now
from eventhub.demo.services import SERVICES
from eventhub.demo.setup import HUB_GROUP, TAPPED
from eventhub.demo.stories import Dice, Story, Storyteller
from eventhub.demo.trimming import trim_forever
from eventhub.demo.world import World

log = logging.getLogger(__name__)

PAST = timedelta(minutes=30)
NUMBERS_AT_ONCE = 20
KEEP_ORDERS = timedelta(days=1)
TIDY_EVERY_S = 600.0
# How long a shop that closes after its last order waits for what is under way.
CLOSING_S = 30.0


class Options(msgspec.Struct, frozen=True):
    """How the shop is run."""

    # Events a second, receipts not counted.
    rate: float = 8.0
    # The share of orders on which something fails.
    failures: float = 0.05
    seed: int = 1
    sins: bool = True
    # When to close; None for never.
    duration_s: float | None = None
    orders: int | None = None
    # How many orders the shop has had before it opens for the first time.
    past_orders: int = 150


async def run(options: Options, redis_url: str, brokers: Sequence[Elsewhere] = ()) -> None:
    """Open the shop and keep it open until it is cancelled, or the options say that it closes.

    What `brokers` say lives on them, the rest on Redis.
    """
    bus = RedisBus(redis_url, carried_topics(brokers))
    carriers = Carriers(brokers, redis_url)
    database = Database()
    stories = Storyteller(Dice(options.seed), options.failures, sins=options.sins)
    cast = assemble(Shop(World(stories), database, options.sins), bus)
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    try:
        start(bus.flush_forever())
        relayed = await _open(options, bus, database, stories)
        carriers.start()
        start(relay_forever(database, bus, relayed))
        for serving in cast.serving:
            start(serving.run())
        start(trim_forever(bus.redis, [*TAPPED, ORDER_FEED], awaited=dict.fromkeys(TAPPED, HUB_GROUP)))
        start(_tidy_forever(database))
        selling = asyncio.create_task(_sell(options, cast, bus, database))
        tasks.append(selling)
        await _first_to_end(tasks, selling)
        await _wait_until_idle(cast)
    finally:
        for task in tasks:
            task.cancel()
        cast.storefront.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(carriers.stop)
        await bus.close()
        database.close()


async def _open(options: Options, bus: RedisBus, database: Database, stories: Storyteller) -> int:
    """Wait for Redis and PostgreSQL, play the past where there is none, join the streams; what was relayed."""
    while True:
        try:
            if await bus.is_new() and options.past_orders:
                numbers = await bus.next_numbers(
                    options.past_orders, above=await database.run(highest_order_number)
                )
                since = now() - PAST - timedelta(seconds=AFTERMATH_S)
                commits = await asyncio.to_thread(rehearse, stories, numbers, since=since, lasting=PAST)
                # In one go and in their order; the services have no groups yet that could acknowledge.
                await asyncio.gather(*(bus.commit(_as_past(commit, bus.elsewhere)) for commit in commits))
            for service in SERVICES:
                await bus.join(service.name, service.reads)
            relayed = await bus.relayed()
            return await database.run(last_row) if relayed is None else relayed
        except (RedisError, OSError, Unavailable) as error:
            log.warning("The shop cannot open yet: %s", error)
            await asyncio.sleep(1.0)


def _as_past(commit: Commit, elsewhere: frozenset[str]) -> Commit:
    """What is committed before there is anybody to acknowledge; other brokers do not hand it to the services again."""
    entries = tuple(
        msgspec.structs.replace(entry, headers={**entry.headers, FROM_THE_PAST: "1"})
        if entry.topic in elsewhere
        else entry
        for entry in commit.entries
    )
    return msgspec.structs.replace(commit, entries=entries, acknowledged=())


async def _sell(options: Options, cast: Cast, bus: RedisBus, database: Database) -> None:
    numbers = _numbers(bus, database, options.orders)

    def pause_s(story: Story) -> float:
        return story.events / options.rate

    try:
        async with asyncio.timeout(options.duration_s):
            await cast.storefront.run(numbers, pause_s)
    except TimeoutError:
        return


async def _numbers(bus: RedisBus, database: Database, limit: int | None) -> AsyncIterator[int]:
    """Order numbers that were never used, as many as wanted."""
    left = limit
    while left is None or left > 0:
        try:
            above = await database.run(highest_order_number)
            block = await bus.next_numbers(min(NUMBERS_AT_ONCE, left or NUMBERS_AT_ONCE), above=above)
        except (RedisError, OSError, Unavailable) as error:
            log.warning("The storefront waits: %s", error)
            await asyncio.sleep(0.5)
            continue
        for number in block:
            yield number
        left = None if left is None else left - len(block)


def highest_order_number() -> int:
    """The greatest order number in the database, where Redis has forgotten; 0 for none."""
    newest = Order.objects.order_by("-placed_at").values_list("order_id", flat=True)[:1]
    return max((int(order_id) for order_id in newest), default=0)


def forget_old_orders() -> None:
    """Delete order rows that nobody asks for any more."""
    Order.objects.filter(changed_at__lt=now() - KEEP_ORDERS).delete()


async def _tidy_forever(database: Database) -> None:
    while True:
        try:
            await database.run(forget_old_orders)
        except Unavailable as error:
            log.warning("Old orders stay a little longer: %s", error)
        await asyncio.sleep(TIDY_EVERY_S)


async def _first_to_end(tasks: list[asyncio.Task[None]], selling: asyncio.Task[None]) -> None:
    """Until selling ends. Another task only ends by a bug, which is raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
        if task is not selling:
            raise RuntimeError(f"A part of the shop ended by itself: {task.get_coro()}")


async def _wait_until_idle(cast: Cast) -> None:
    """Until nothing has been under way for a second, so that what was begun is told to its end."""
    clock = asyncio.get_running_loop()
    deadline, quiet_since = clock.time() + CLOSING_S, clock.time()
    while clock.time() < deadline and clock.time() - quiet_since < 1.0:
        await asyncio.sleep(0.05)
        if not cast.is_idle:
            quiet_since = clock.time()
