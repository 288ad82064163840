import pytest

from dlq.models import DeadLetter, Reason, RedirectRule
from dlq.routes import Redirects, outgoing, route_of
from eventhub.brokers.models import Kind, Role, Source


@pytest.fixture(autouse=True)
def _every_broker(settings):
    """Which brokers are polled decides; no adapter is opened here."""
    settings.BROKER_ADAPTERS = settings.BROKER_ADAPTERS | {Kind.RABBITMQ: "", Kind.KAFKA: ""}


def letter_of(kind, topic, **fields):
    source = Source(name="dead", kind=kind, role=Role.DEAD_LETTERS)
    values = {"reason": Reason.SERVICE, "headers": {}} | fields
    return DeadLetter(pk=7, source=source, topic=topic, read_from="dead", body=b"{}", **values)


def sent(letter, redirects=None):
    route = route_of(letter, redirects or Redirects())
    return route, outgoing(letter, 2, route)


def test_a_record_of_kafka_goes_back_to_its_partition():
    route, message = sent(letter_of(Kind.KAFKA, "orders", partition=3, key="k"))
    assert (message.topic, message.partition, message.key) == ("orders", 3, "k")
    assert route.destination == "topic orders (Kafka)"


def test_a_message_of_rabbitmq_goes_back_to_its_exchange_with_its_routing_key():
    properties = {"exchange": "orders", "routing_key": "order.placed", "content_type": "application/json"}
    route, message = sent(letter_of(Kind.RABBITMQ, "orders", properties=properties))
    assert message.properties == properties
    assert route.destination == "exchange orders with routing key order.placed (RabbitMQ)"


def test_the_default_exchange_is_the_queue_itself():
    route, _ = sent(
        letter_of(Kind.RABBITMQ, "shipping", properties={"exchange": "", "routing_key": "shipping"})
    )
    assert route.destination == "queue shipping (RabbitMQ)"


def test_a_redirected_letter_leaves_its_old_place_behind():
    rule = RedirectRule(pattern="orders", to_topic="parking", created_by="ann", why="moved")
    properties = {"exchange": "orders", "routing_key": "order.placed", "content_type": "application/json"}
    route, message = sent(
        letter_of(Kind.RABBITMQ, "orders", properties=properties, partition=3), Redirects([rule])
    )
    assert (message.topic, message.partition) == ("parking", None)
    assert message.properties == {"content_type": "application/json"}
    assert route.destination == "queue parking (RabbitMQ)"


def test_a_redirect_may_name_an_exchange_and_a_routing_key():
    properties = {"exchange": "orders", "routing_key": "order.placed"}
    letter = letter_of(Kind.RABBITMQ, "orders", properties=properties)
    route, message = sent(letter, Redirects(once="exchange:orders.v2"))
    assert message.properties == {"exchange": "orders.v2", "routing_key": "order.placed"}
    route, message = sent(letter, Redirects(once="exchange:orders.v2/placed"))
    assert message.properties == {"exchange": "orders.v2", "routing_key": "placed"}
    assert route.destination == "exchange orders.v2 with routing key placed (RabbitMQ)"


def test_what_the_hub_could_not_read_goes_back_to_its_own_queue_and_not_to_everybody():
    properties = {"exchange": "orders", "routing_key": "order.placed", "queue": "eventhub.orders"}
    letter = letter_of(Kind.RABBITMQ, "orders", properties=properties, reason=Reason.UNDECODABLE)
    route, message = sent(letter)
    assert (message.topic, message.properties) == ("eventhub.orders", {"queue": "eventhub.orders"})
    assert route.destination == "queue eventhub.orders (RabbitMQ)"
