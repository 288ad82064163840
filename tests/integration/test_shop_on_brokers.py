"""The demo shop on real brokers: one order's events cross them all, and reach its services and EventHub's taps."""

import asyncio

import msgspec
import pytest

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Source
from eventhub.demo.bus import RedisBus
from eventhub.demo.carrying import Carriers
from eventhub.demo.database import Database
from eventhub.demo.elsewhere import Elsewhere, carried_topics
from eventhub.demo.rehearsal import assemble
from eventhub.demo.relay import last_row, relay_forever
from eventhub.demo.service import Shop
from eventhub.demo.services import SERVICES
from eventhub.demo.stories import Dice, Outcome, Storyteller, Trouble
from eventhub.demo.world import World
from tests.demo.conftest import flat, order_with, streams, until  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def brokers(kafka, rabbitmq, sqs):
    return (
        Elsewhere("kafka", kafka.bootstrap_servers),
        Elsewhere("rabbitmq", rabbitmq.url),
        Elsewhere("sqs", sqs.endpoint_url),
    )


def taps(brokers):
    """EventHub's own readers, before anything is told."""
    opened = {}
    for broker in brokers:
        broker.prepare()
        tap = broker.tap()
        if broker.name == "kafka":
            tap["config"] |= {"group": f"test-{id(brokers)}", "start": "latest"}
        opened[broker.name] = open_adapter(Source(name=f"shop-{broker.name}", **tap), "test")
        opened[broker.name].poll(1, 5.0 if broker.name == "kafka" else 0)
    return opened


def read_all(adapter, until_type, timeout_s=30.0):
    found = []
    for _ in range(int(timeout_s)):
        messages = adapter.poll(500, 1.0)
        found += [flat(msgspec.json.decode(message.body)) for message in messages]
        adapter.acknowledge(messages)
        if any(event["type"] == until_type for event in found):
            return found
    raise AssertionError(f"no {until_type} came: {[event['type'] for event in found]}")


def test_one_trace_crosses_kafka_rabbitmq_and_sqs(brokers, streams):  # noqa: F811
    stories = Storyteller(Dice(1), failures=0.3, sins=False)
    number = order_with(
        stories, lambda story: story.outcome is Outcome.DELIVERED and story.trouble is Trouble.NONE
    )
    opened = taps(brokers)

    async def scene():
        bus, database = RedisBus(streams.url, carried_topics(brokers)), Database()
        carriers = Carriers(brokers, streams.url)
        cast = assemble(Shop(World(stories), database, sins=False), bus)
        for service in SERVICES:
            await bus.join(service.name, service.reads)
        work = [
            bus.flush_forever(),
            relay_forever(database, bus, await database.run(last_row)),
            *(serving.run() for serving in cast.serving),
        ]
        tasks = [asyncio.create_task(part) for part in work]
        carriers.start()
        try:
            async with asyncio.timeout(60):
                await cast.storefront.place(str(number), stories.story_of(str(number)))
                await until(
                    lambda: "order.completed" in {e["type"] for e in streams.events("shop.order-feed")}
                )
                await until(lambda: bool(streams.receipts("email")))
                await until(lambda: not any(streams.entries(f"{t}.out") for t in carried_topics(brokers)))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(carriers.stop)
            await bus.close()
            database.close()

    try:
        asyncio.run(scene())
        on = {
            "kafka": read_all(opened["kafka"], "payment.authorized"),
            "rabbitmq": read_all(opened["rabbitmq"], "shipment.dispatched"),
            "sqs": read_all(opened["sqs"], "email.sent"),
        }
    finally:
        for adapter in opened.values():
            adapter.close()
    placed = next(
        e for e in on["kafka"] if e["type"] == "order.placed" and e["data"]["order_id"] == str(number)
    )
    for name, types in {
        "kafka": {"order.placed", "payment.authorized"},
        "rabbitmq": {"inventory.reserved", "shipment.created", "shipment.dispatched"},
        "sqs": {"email.sent"},
    }.items():
        told = {e["type"] for e in on[name] if e["correlation"] == placed["correlation"]}
        assert types <= told, name
