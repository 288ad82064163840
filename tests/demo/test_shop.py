"""The shop as `manage.py demo` runs it."""

import asyncio
import time

import pytest
import redis

from eventhub.demo.shop import Options, run
from eventhub.running.redis import EmbeddedRedis
from tests.demo.conftest import Streams, until

pytestmark = pytest.mark.django_db(transaction=True)
BUSINESS = (
    "shop.orders",
    "shop.payments",
    "shop.inventory",
    "shop.shipping",
    "shop.email",
    "shop.customers",
    "shop.order-feed",
)


def test_it_publishes_at_the_rate_that_was_asked_for(streams):
    options = Options(rate=120, failures=0.05, past_orders=0, duration_s=5, sins=False)
    asyncio.run(run(options, streams.url))
    published = sum(len(streams.entries(topic)) for topic in BUSINESS)
    assert published == pytest.approx(120 * 5, rel=0.2)


def test_a_number_of_orders_is_told_to_the_end(streams):
    asyncio.run(run(Options(rate=200, failures=0, past_orders=0, orders=25, sins=False), streams.url))
    types = [event["type"] for event in streams.events(*BUSINESS)]
    assert types.count("order.placed") == types.count("customer.profile_updated") == 25


def test_a_new_shop_has_a_past_and_is_live_within_seconds(streams):
    began = time.monotonic()

    async def scene():
        shop = asyncio.create_task(run(Options(rate=20, past_orders=40), streams.url))
        await until(lambda: len(streams.events("shop.orders")) > 45)
        shop.cancel()
        await asyncio.gather(shop, return_exceptions=True)

    asyncio.run(scene())
    assert time.monotonic() - began < 45
    asyncio.run(run(Options(rate=200, orders=1), streams.url))
    numbers = [event["data"]["order_id"] for event in streams.events("shop.orders")]
    assert len(set(numbers)) < 65, "the past happens once"


def test_it_stops_within_a_second_and_goes_on_where_it_was(streams):
    async def scene():
        shop = asyncio.create_task(run(Options(rate=100, past_orders=0), streams.url))
        await until(lambda: len(streams.events("shop.shipping")) > 5)
        began = time.monotonic()
        shop.cancel()
        await asyncio.gather(shop, return_exceptions=True)
        return time.monotonic() - began

    assert asyncio.run(scene()) < 1
    begun = [
        event["data"]["order_id"]
        for event in streams.events("shop.orders")
        if event["type"] == "order.placed"
    ]
    asyncio.run(run(Options(rate=100, past_orders=0, orders=1), streams.url))
    done = {
        event["data"]["order_id"]
        for event in streams.events("shop.order-feed")
        if event["type"] in ("order.completed", "order.cancelled")
    }
    given_up = len(streams.entries("shop.dead-letters"))
    assert len(set(begun) - done) <= given_up


def test_it_survives_a_restart_of_redis(tmp_path):
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    streams = Streams(server.url)

    async def scene():
        shop = asyncio.create_task(run(Options(rate=100, past_orders=0), server.url))
        await until(lambda: len(streams.events("shop.email")) > 5)
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(_wait_for, server)
        before = len(streams.events("shop.email"))
        async with asyncio.timeout(30):
            await until(lambda: len(streams.events("shop.email")) > before + 20)
        assert not shop.done()
        shop.cancel()
        await asyncio.gather(shop, return_exceptions=True)

    try:
        asyncio.run(scene())
    finally:
        server.stop()


def _wait_for(server: EmbeddedRedis) -> None:
    client = redis.Redis.from_url(server.url)
    for _ in range(100):
        try:
            client.ping()
            return
        except redis.RedisError:
            time.sleep(0.05)
