"""The services with their consumer groups on a real Redis."""

import asyncio
from datetime import datetime

import pytest

from eventhub.demo.bus import Commit
from eventhub.demo.faults import Entry
from eventhub.demo.stories import Outcome, Trouble
from eventhub.outbox.models import OutboxMessage
from tests.demo.conftest import order_with, until

pytestmark = pytest.mark.django_db(transaction=True)


def place(stories, number):
    async def scene(cast, bus):
        await cast.storefront.place(str(number), stories.story_of(str(number)))

    return scene


def test_an_order_goes_through_the_broker_and_the_outbox_to_its_end(open_shop, stories, streams):
    number = order_with(
        stories, lambda story: story.outcome is Outcome.DELIVERED and story.trouble is Trouble.NONE
    )

    async def scene(cast, bus):
        await place(stories, number)(cast, bus)
        await until(
            lambda: any(e["type"] == "customer.profile_updated" for e in streams.events("shop.customers"))
        )
        await until(lambda: streams.client.xpending("shop.shipping", "order")["pending"] == 0)

    open_shop(scene)
    assert [event["type"] for event in streams.events("shop.order-feed")] == [
        "order.confirmed",
        "order.completed",
    ]
    assert OutboxMessage.objects.filter(topic="shop.orders").count() == 2
    for service, topic in (
        ("payment", "shop.orders"),
        ("shipping", "shop.inventory"),
        ("email", "shop.shipping"),
    ):
        assert streams.client.xpending(topic, service)["pending"] == 0
    receipt = streams.receipts("payment")[0]
    placed = streams.events("shop.orders")[0]
    assert receipt["type"] == "eventhub.delivery.succeeded"
    assert receipt["cause"] == receipt["data"]["event_id"] == placed["id"]
    assert 50 < receipt["data"]["duration_ms"] < 5000


def test_what_heals_by_itself_leaves_failed_receipts_and_no_dead_letter(open_shop, stories, streams):
    number = order_with(stories, lambda story: story.trouble is Trouble.STOCK_CONFLICT)

    async def scene(cast, bus):
        await place(stories, number)(cast, bus)
        await until(lambda: bool(streams.events("shop.inventory")))

    open_shop(scene)
    tries = [(receipt["type"][-6:], receipt["data"]["attempt"]) for receipt in streams.receipts("inventory")]
    assert tries == [("failed", 1), ("failed", 2), ("ceeded", 3)]
    assert streams.receipts("inventory")[0]["data"]["will_retry"] is True
    assert not streams.entries("shop.dead-letters")


def test_an_event_that_cannot_be_handled_is_dead_lettered_with_all_its_headers(open_shop, stories, streams):
    number = order_with(stories, lambda story: story.trouble is Trouble.CARRIER_DOWN)

    async def scene(cast, bus):
        await place(stories, number)(cast, bus)
        await until(lambda: bool(streams.entries("shop.dead-letters")))

    open_shop(scene)
    (letter,) = streams.entries("shop.dead-letters")
    headers = {name.decode(): value.decode() for name, value in letter.items()}
    failed = next(e for e in streams.events("shop.inventory") if e["type"] == "inventory.reserved")
    assert failed["id"] in headers.pop("body")
    assert headers.pop("dlq-stack").startswith("Traceback")
    assert datetime.fromisoformat(headers.pop("dlq-failed-at")).tzinfo
    assert headers == {
        "dlq-reason": "handler failed",
        "dlq-error-class": "eventhub.demo.world.CarrierTimeout",
        "dlq-error-message": "POST https://api.parcelrun.example/v2/shipments: no answer within 2 s",
        "dlq-origin-stream": "shop.inventory",
        "dlq-group": "shipping",
        "dlq-attempts": "3",
    }
    last = streams.receipts("shipping")[-1]
    assert last["data"]["will_retry"] is False
    assert last["data"]["error"]["class"] == "eventhub.demo.world.CarrierTimeout"


def retry_of(letter, *, attempt):
    headers = {
        name.decode(): value.decode()
        for name, value in letter.items()
        if name != b"body" and b"dlq-" not in name
    }
    topic = letter[b"dlq-origin-stream"].decode()
    retry = {
        "eventhub-retry-of": "12",
        "eventhub-attempt": str(attempt),
        "eventhub-retry-for": letter[b"dlq-group"].decode(),
    }
    return Entry(topic, letter[b"body"], headers | retry)


def test_a_retry_succeeds_when_the_carrier_is_back_and_disturbs_no_other_service(open_shop, stories, streams):
    number = order_with(
        stories,
        lambda story: story.trouble is Trouble.CARRIER_DOWN,
        next(n for n in range(9000, 9999) if _heals(stories, n)),
    )

    async def scene(cast, bus):
        await place(stories, number)(cast, bus)
        await until(lambda: bool(streams.entries("shop.dead-letters")))
        await until(lambda: bool(streams.events("shop.order-feed")))
        letter = streams.entries("shop.dead-letters")[0]
        await bus.commit(Commit(entries=(retry_of(letter, attempt=4),)))
        await until(lambda: any(e["type"] == "order.completed" for e in streams.events("shop.order-feed")))

    open_shop(scene)
    shipping = [receipt["data"]["attempt"] for receipt in streams.receipts("shipping")]
    assert shipping[:4] == [1, 2, 3, 4]
    types = [event["type"] for event in streams.events("shop.order-feed")]
    assert types == ["order.confirmed", "order.completed"]
    assert len(streams.entries("shop.dead-letters")) == 1


def _heals(stories, number):
    return (
        stories.story_of(str(number)).trouble is Trouble.CARRIER_DOWN
        and stories.dice.roll("carrier is back", str(number)) < 0.8
    )


def test_a_retry_of_what_cannot_succeed_comes_back_with_its_letter_and_attempt(open_shop, stories, streams):
    number = order_with(stories, lambda story: story.trouble is Trouble.BAD_ADDRESS)

    async def scene(cast, bus):
        await place(stories, number)(cast, bus)
        await until(lambda: len(streams.entries("shop.dead-letters")) == 1)
        first = streams.entries("shop.dead-letters")[0]
        await bus.commit(Commit(entries=(retry_of(first, attempt=2),)))
        await until(lambda: len(streams.entries("shop.dead-letters")) == 2)

    open_shop(scene)
    again = streams.entries("shop.dead-letters")[1]
    assert again[b"eventhub-retry-of"] == b"12"
    assert again[b"eventhub-attempt"] == b"2"
    assert again[b"dlq-attempts"] == b"2"
    assert again[b"dlq-error-class"] == b"eventhub.demo.world.AddressRejected"


def test_a_duplicate_is_skipped(open_shop, stories, streams):
    number = order_with(stories, lambda story: story.outcome is Outcome.DECLINED)

    async def scene(cast, bus):
        await place(stories, number)(cast, bus)
        (entry,) = streams.entries("shop.orders")
        twice = Entry("shop.orders", entry[b"body"])
        await bus.commit(Commit(entries=(twice,)))  # while the first is in hand
        await until(lambda: bool(streams.events("shop.email")))
        await bus.commit(Commit(entries=(twice,)))  # when it is long done
        await until(lambda: streams.client.xinfo_groups("shop.orders")[0]["lag"] == 0)
        await asyncio.sleep(0.5)

    open_shop(scene)
    assert [event["type"] for event in streams.events("shop.payments")] == ["payment.declined"]
    assert len(streams.receipts("payment")) == 1


def test_messages_that_nobody_can_read_stop_no_service(open_shop, stories, streams):
    number = order_with(stories, lambda story: story.outcome is Outcome.DECLINED)

    async def scene(cast, bus):
        poison = [b"", b"\x00\xff", b"{", b"[1]", b'"text"', b'{"event_type": 42}', b'{"a":' * 2000]
        await bus.commit(Commit(entries=tuple(Entry("shop.orders", body) for body in poison)))
        await asyncio.to_thread(streams.client.xadd, "shop.orders", {"other": "field"})
        await place(stories, number)(cast, bus)
        await until(lambda: bool(streams.events("shop.email")))

    open_shop(scene)
    assert streams.client.xpending("shop.orders", "payment")["pending"] == 0
