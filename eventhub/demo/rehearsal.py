"""The shop's believable past: half an hour of business, played in a second on a clock that jumps.

The very same services run on a bus in memory, and what they would have sent to Redis is kept and sent afterwards.
"""

import asyncio
import selectors
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from eventhub.demo.bus import Bus, Commit, Delivery, Memory
from eventhub.demo.database import BlockingDatabase
from eventhub.demo.faults import Wire
from eventhub.demo.relay import last_row, relay_forever
from eventhub.demo.service import Shop
from eventhub.demo.services import SERVICES
from eventhub.demo.services.storefront import Storefront
from eventhub.demo.serving import Serving
from eventhub.demo.stories import Storyteller
from eventhub.demo.world import World

# After the last order: long enough for the slowest parcel.
AFTERMATH_S = 60.0


class JumpingSelector(selectors.DefaultSelector):
    """Does not wait for the time to pass: says how long it would have, and that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready at once."""
        self.seconds += timeout or 0.0
        return super().select(0)


class PlayedLoop(asyncio.SelectorEventLoop):
    """An event loop in which a sleep of an hour is over at once, and the clock shows an hour more."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the play began."""
        return self._jumping.seconds


class MemoryBus:
    """A bus for one process: every commit is kept in `record`, in the order in which they happened."""

    def __init__(self, readers: Iterable[tuple[str, Sequence[str]]]) -> None:
        self.record: list[Commit] = []
        self._queues: dict[str, asyncio.Queue[Delivery]] = defaultdict(asyncio.Queue)
        self._readers: dict[str, list[str]] = defaultdict(list)
        for service, topics in readers:
            for topic in topics:
                self._readers[topic].append(service)
        self._done: set[tuple[str, str]] = set()
        self._entries = 0

    async def read(self, service: str, topics: Sequence[str]) -> list[Delivery]:
        """See Bus."""
        queue = self._queues[service]
        deliveries = [await queue.get()]
        while not queue.empty():
            deliveries.append(queue.get_nowait())
        return deliveries

    async def commit(self, commit: Commit) -> None:
        """See Bus."""
        self.record.append(commit)
        if commit.done:
            self._done.add((commit.service, commit.done))
        for entry in commit.entries:
            self._entries += 1
            delivery = Delivery(entry.topic, f"{self._entries}-0", entry.body, entry.headers)
            for service in self._readers[entry.topic]:
                self._queues[service].put_nowait(delivery)

    async def memory_of(self, service: str, event_ids: Sequence[str]) -> Memory:
        """See Bus."""
        return Memory(frozenset(event_id for event_id in event_ids if (service, event_id) in self._done))


class Cast(msgspec.Struct, frozen=True):
    """Everyone who takes part, on one bus."""

    shop: Shop
    serving: tuple[Serving, ...]
    storefront: Storefront

    @property
    def is_idle(self) -> bool:
        """Whether nobody has anything in hand."""
        return self.storefront.is_idle and all(serving.is_idle for serving in self.serving)


def assemble(shop: Shop, bus: Bus) -> Cast:
    """The storefront and all services on `bus`."""
    stories = shop.world.stories
    wire = Wire(stories.dice, stories.failures, sins=shop.sins)
    return Cast(
        shop, tuple(Serving(service(shop), bus, wire) for service in SERVICES), Storefront(shop, bus, wire)
    )


def rehearse(stories: Storyteller, numbers: range, *, since: datetime, lasting: timedelta) -> list[Commit]:
    """Play the orders `numbers`, spread over a past time; what would have been sent to the bus.

    Order rows and outbox rows are written for real.
    """
    database = BlockingDatabase()
    try:
        with database.in_one_transaction(), asyncio.Runner(loop_factory=PlayedLoop) as runner:
            return runner.run(_play(stories, database, numbers, since, lasting))
    finally:
        database.close()


async def _play(
    stories: Storyteller, database: BlockingDatabase, numbers: range, since: datetime, lasting: timedelta
) -> list[Commit]:
    clock = asyncio.get_running_loop()
    shop = Shop(World(stories), database, stories.sins, lambda: since + timedelta(seconds=clock.time()))
    bus = MemoryBus((service.name, service.reads) for service in SERVICES)
    cast = assemble(shop, bus)
    tasks = [asyncio.create_task(serving.run()) for serving in cast.serving]
    after = await database.run(last_row)
    tasks.append(asyncio.create_task(relay_forever(database, bus, after, look_every_s=AFTERMATH_S)))
    pause_s = lasting.total_seconds() / max(1, len(numbers))
    await cast.storefront.run(_each(numbers), lambda story: pause_s)
    await asyncio.sleep(AFTERMATH_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return bus.record


async def _each(numbers: range) -> AsyncIterator[int]:
    for number in numbers:
        yield number
