import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
import redis

from eventhub.demo.bus import RedisBus
from eventhub.demo.database import Database
from eventhub.demo.rehearsal import Cast, assemble
from eventhub.demo.service import Shop
from eventhub.demo.services import SERVICES
from eventhub.demo.stories import Dice, Story, Storyteller
from eventhub.demo.world import World


def order_with(stories: Storyteller, wanted: Callable[[Story], bool], start: int = 9000) -> int:
    """The first order number from `start` whose story is of the kind wanted."""
    return next(number for number in range(start, start + 100_000) if wanted(stories.story_of(str(number))))


class Streams:
    """What is in the shop's streams on a Redis of the test's own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url)

    def entries(self, topic: str) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.client.xrange(topic)]

    def events(self, *topics: str) -> list[dict[str, Any]]:
        """The readable events, flattened to what both envelopes have."""
        found = []
        for topic in topics:
            for fields in self.entries(topic):
                try:
                    found.append(flat(msgspec.json.decode(fields[b"body"])))
                except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
                    continue
        return found

    def receipts(self, service: str) -> list[dict[str, Any]]:
        return [event for event in self.events("shop.receipts") if event["data"]["service"] == service]


def flat(envelope: dict[str, Any]) -> dict[str, Any]:
    if "specversion" in envelope:
        return {
            "id": envelope["id"],
            "type": envelope["type"],
            "cause": envelope.get("causationid"),
            "correlation": envelope.get("correlationid"),
            "data": envelope["data"],
        }
    metadata = envelope["metadata"]
    return {
        "id": envelope["event_id"],
        "type": envelope["event_type"],
        "cause": metadata.get("causation_id"),
        "correlation": metadata.get("correlation_id"),
        "data": envelope["data"],
    }


@pytest.fixture
def streams() -> Iterator[Streams]:
    found = Streams(os.environ["REDIS_URL"].rsplit("/", 1)[0] + "/9")
    found.client.flushdb()
    yield found
    found.client.flushdb()
    found.client.close()


@pytest.fixture
def stories() -> Storyteller:
    return Storyteller(Dice(1), failures=0.3, sins=False)


Scene = Callable[[Cast, RedisBus], Awaitable[None]]


@pytest.fixture
def open_shop(streams: Streams, stories: Storyteller) -> Callable[[Scene], None]:
    """Runs a scene while all services serve on the real Redis."""

    async def play(scene: Scene) -> None:
        from eventhub.demo.relay import last_row, relay_forever

        bus, database = RedisBus(streams.url), Database()
        cast = assemble(Shop(World(stories), database, sins=False), bus)
        for service in SERVICES:
            await bus.join(service.name, service.reads)
        work = [
            bus.flush_forever(),
            relay_forever(database, bus, await database.run(last_row)),
            *(serving.run() for serving in cast.serving),
        ]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            async with asyncio.timeout(30):
                await scene(cast, bus)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await bus.close()
            database.close()

    return lambda scene: asyncio.run(play(scene))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for is in Redis
        await asyncio.sleep(0.05)
