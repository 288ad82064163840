"""Messages that a real RabbitMQ dead-lettered, for each of its reasons: read, reviewed, sent back, and dead once more.

The shop publishes to the exchange `orders`. Shipping has a queue there whose messages die; billing's queue on the same
exchange shows what was published: the original, and its retry once.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from amqp.exceptions import MessageNacked

from dlq.models import DeadLetter, Retry, RetryState, Status
from eventhub.brokers.models import Kind, Role, Source
from tests.dlq.sending import send_again
from tests.integration.dead_letters import ORDER, Desk, check_leaves_only_when_stored, desk
from tests.integration.rabbitmq.conftest import Rabbit

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

HEADERS = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01",
    "Tenant": 7,
    "total": 2**40,
    "is-gift": True,
    "route": ["web", {"shop": "berlin", "try": 1}],
    "placed": datetime(2026, 11, 24, 10, 0),
}
PROPERTIES: dict[str, Any] = {
    "content_type": "application/json",
    "content_encoding": "utf-8",
    "correlation_id": "order-8412",
    "message_id": "msg-8412",
    "type": "order.placed",
    "app_id": "web-shop",
    "reply_to": "web-shop.answers",
    "priority": 3,
}


class Shop:
    """The exchange, billing's queue, and queues whose dead letters go to another under another routing key."""

    def __init__(self, rabbit: Rabbit) -> None:
        self.rabbit = rabbit
        rabbit.exchange("orders")
        rabbit.queue("billing")
        rabbit.channel.queue_bind("billing", "orders", "order.*")

    def queue(self, name: str, dead: str, kind: str = "classic", **arguments: Any) -> None:
        """A queue whose dead letters go to the queue `dead`, which is there."""
        self.rabbit.exchange(f"{name}.dlx")
        self.rabbit.channel.queue_bind(dead, f"{name}.dlx", "#")
        routing = {"x_dead_letter_exchange": f"{name}.dlx", "x_dead_letter_routing_key": f"{name}.failed"}
        self.rabbit.queue(name, kind, **routing, **arguments)

    def of_shipping(self, dead: str = "dead", kind: str = "classic", **arguments: Any) -> None:
        """Shipping's queue, which gets the orders that were placed."""
        self.queue("shipping", dead, kind, **arguments)
        self.rabbit.channel.queue_bind("shipping", "orders", "order.placed")

    def place_order(self, **changed: Any) -> None:
        self.rabbit.publish(ORDER, "orders", "order.placed", HEADERS, **PROPERTIES | changed)

    def reject(self, requeue: bool = False) -> None:
        """Shipping fails on the next message."""
        message = self.rabbit.get("shipping", no_ack=False)
        self.rabbit.channel.basic_reject(message.delivery_tag, requeue=requeue)

    def give_back(self) -> None:
        """Shipping fails on it, and asks for it again, until the queue has enough."""
        for _ in range(3):
            self.reject(requeue=True)

    def crowd_out(self) -> None:
        """Another message is too many for shipping's queue, which drops the older one; the other is worked off."""
        self.rabbit.publish(b"the next order", "", "shipping")
        assert self.rabbit.get("shipping").body == b"the next order"

    def wait(self) -> None:
        """Nobody reads in time."""

    def published(self, count: int) -> list[Any]:
        """What billing got, of which there must be so many."""
        found = [self.rabbit.get("billing") for _ in range(count)]
        assert self.rabbit.channel.basic_get("billing") is None
        return found


@pytest.fixture
def shop(rabbit: Rabbit) -> Shop:
    rabbit.queue("dead")
    return Shop(rabbit)


@pytest.fixture
def dead(rabbit: Rabbit) -> Iterator[Desk]:
    """The desk of the queue where dead letters end."""
    with desk(rabbit.virtual_host, Kind.RABBITMQ, url=rabbit.url, queue="dead") as opened:
        yield opened


def check_is_back(shop: Shop, told: dict[str, str]) -> None:
    """That the original and its retry, and nothing else, were published to the exchange, and how alike they are."""
    original, again = shop.published(2)
    assert again.body == original.body == ORDER.decode()
    assert (again.delivery_info["exchange"], again.delivery_info["routing_key"]) == ("orders", "order.placed")
    headers = dict(again.properties.pop("application_headers"))
    assert headers == original.properties.pop("application_headers") | told
    assert again.properties == original.properties == PROPERTIES | {"delivery_mode": 2}


class Way(NamedTuple):
    """How a message dies: in what kind of queue, and of what is done to it there."""

    reason: str
    kind: str
    arguments: dict[str, Any]
    die: Callable[[Shop], None]
    words: str


WAYS = [
    Way("rejected", "classic", {}, Shop.reject, "Rejected from the queue shipping."),
    Way("rejected", "quorum", {}, Shop.reject, "Rejected from the queue shipping."),
    Way("expired", "classic", {"x_message_ttl": 100}, Shop.wait, "Expired in the queue shipping."),
    Way(
        "maxlen",
        "classic",
        {"x_max_length": 1},
        Shop.crowd_out,
        "Dropped from the queue shipping, which was full.",
    ),
    Way(
        "delivery_limit",
        "quorum",
        {"x_delivery_limit": 2},
        Shop.give_back,
        "Delivered from the queue shipping as often as it allows.",
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.reason}-{way.kind}")
def test_a_message_goes_back_to_its_exchange_and_returns_to_its_letter(
    shop: Shop, dead: Desk, way: Way
) -> None:
    shop.of_shipping(kind=way.kind, **way.arguments)
    shop.place_order()
    way.die(shop)
    dead.take_in()

    dead.check_shown(
        topic="orders",
        key="shipping.failed",
        event_id="evt-8412",
        event_type="order.placed",
        correlation_id="order-8412",
        failed_in="shipping",
        error_class=way.reason,
        error_message=way.words,
        attempts=1,
    )
    assert dead.letter().group.title == f"{way.reason}: {way.words}"
    assert "shipping gave up on order.placed" in dead.page()
    assert "exchange orders with routing key order.placed (RabbitMQ)" in dead.sheet()

    check_is_back(shop, dead.retry())
    way.die(shop)
    dead.take_in()
    dead.check_came_back(attempt=2)


def test_a_message_that_died_twice_goes_back_to_where_it_was_published(shop: Shop, dead: Desk) -> None:
    """Rejected by shipping, then expired in the queue where what failed is parked."""
    shop.queue("parking", "dead", x_message_ttl=100)
    shop.of_shipping("parking")
    shop.place_order()
    shop.reject()
    dead.take_in()

    dead.check_shown(
        topic="orders",
        key="parking.failed",
        event_id="evt-8412",
        failed_in="shipping",
        error_class="rejected",
        error_message="Rejected from the queue shipping; then expired in the queue parking.",
        attempts=1,
    )
    check_is_back(shop, dead.retry())
    shop.reject()
    dead.take_in()
    dead.check_came_back(attempt=2)


def test_how_often_the_dead_letter_queue_delivers_it_is_no_attempt(shop: Shop) -> None:
    shop.rabbit.queue("late", "quorum")
    shop.of_shipping("late", "quorum", x_delivery_limit=2)
    shop.place_order()
    shop.give_back()
    for _ in range(4):  # as workers do that are killed
        message = shop.rabbit.get("late", no_ack=False)
        shop.rabbit.channel.basic_reject(message.delivery_tag, requeue=True)
    with desk(shop.rabbit.virtual_host, Kind.RABBITMQ, url=shop.rabbit.url, queue="late") as dead:
        dead.take_in()
        dead.check_shown(error_class="delivery_limit", attempts=1)
        check_is_back(shop, dead.retry())


def test_a_message_that_was_published_straight_to_a_queue_goes_back_to_it(shop: Shop, dead: Desk) -> None:
    shop.of_shipping()
    shop.rabbit.publish(ORDER, "", "shipping", HEADERS, **PROPERTIES)
    shop.reject()
    dead.take_in()
    dead.check_shown(topic="shipping", failed_in="shipping", error_class="rejected")
    assert "queue shipping (RabbitMQ)" in dead.sheet()

    told = dead.retry()
    again = shop.rabbit.get("shipping")
    assert again.properties["application_headers"] == HEADERS | told
    assert shop.rabbit.waiting("shipping") == 0
    assert shop.published(0) == []


def test_a_message_that_died_of_its_own_expiration_does_not_expire_again(shop: Shop, dead: Desk) -> None:
    shop.of_shipping()
    shop.place_order(expiration="100")
    dead.take_in()
    dead.check_shown(error_class="expired", error_message="Expired in the queue shipping.")

    dead.retry()
    assert "expiration" not in shop.rabbit.get("shipping").properties


def test_a_queue_that_is_still_full_refuses_the_retry_and_it_comes_back_to_its_letter(
    shop: Shop, dead: Desk
) -> None:
    """Such a queue tells the publisher that it took nothing, and dead-letters the message all the same."""
    shop.of_shipping(x_max_length=1, x_overflow="reject-publish-dlx")
    shop.rabbit.publish(b"the order before", "", "shipping")
    with pytest.raises(MessageNacked):
        shop.place_order()
    dead.take_in()
    dead.check_shown(topic="orders", failed_in="shipping", error_class="maxlen")

    send_again(dead.letter().pk)
    retry = Retry.objects.get()
    assert (retry.state, dead.letter().status) == (RetryState.NOT_PUBLISHED, Status.OPEN)
    assert "is full" in retry.error
    dead.take_in()
    dead.check_came_back(attempt=2)
    assert DeadLetter.objects.count() == 1


def test_a_dead_letter_is_removed_from_the_queue_only_when_it_is_stored(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.of_shipping()
    shop.place_order()
    shop.reject()
    source = Source.objects.create(
        name=shop.rabbit.virtual_host,
        kind=Kind.RABBITMQ,
        role=Role.DEAD_LETTERS,
        config={"url": shop.rabbit.url, "queue": "dead"},
    )

    def left() -> int:
        told = shop.rabbit.api("GET", "queues/{vhost}?disable_stats=true&enable_queue_totals=true")
        return next(int(queue["messages"]) for queue in told if queue["name"] == "dead")

    check_leaves_only_when_stored(source, left, monkeypatch)
