import json
import time
from datetime import datetime
from decimal import Decimal

import pytest

from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.events.message import OutgoingMessage
from tests.integration.rabbitmq.conftest import bodies, sent_again, take


def test_what_was_read_is_sent_again_with_its_types_and_properties(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    adapter = reader(source(exchange="orders"))
    adapter.poll(1, 0.1)
    rabbit.channel.queue_bind(rabbit.queue("shipping"), "orders", "order.#")
    headers = {
        "Tenant": "acme",
        "n": 7,
        "small": -1,
        "price": Decimal("1.50"),
        "at": datetime(2026, 11, 25, 9, 0),
        "path": ["a", {"b": True, "none": None}],
        "raw": b"\xff\x00",
        "x-death": [{"queue": "q", "count": 1, "time": datetime(2026, 11, 25, 9, 0)}],
    }
    properties = {
        "content_type": "application/json",
        "correlation_id": "c-1",
        "message_id": "m-1",
        "timestamp": 1795597200,
        "type": "order.placed",
        "app_id": "shop",
        "priority": 3,
        "reply_to": "answers",
    }
    rabbit.publish(b"\x00\xff", "orders", "order.placed", headers=headers, **properties)
    original = rabbit.get("shipping")
    [message] = take(adapter, 1)
    adapter.publish([sent_again(message)])
    again = rabbit.get("shipping")
    assert again.body == original.body
    assert again.properties == original.properties
    assert (again.delivery_info["exchange"], again.delivery_info["routing_key"]) == ("orders", "order.placed")


def test_an_expiration_is_not_sent_again_and_a_foreign_user_neither(rabbit, reader, source):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    rabbit.publish(b"1", "", "work", expiration="60000", user_id="eventhub")
    [message] = take(adapter, 1)
    adapter.acknowledge([message])
    rabbit.queue("copies")
    adapter.publish([sent_again(message, routing_key="copies")])
    assert rabbit.get("copies").properties == {"delivery_mode": 2, "user_id": "eventhub"}
    adapter.publish([sent_again(message, routing_key="copies", user_id="somebody")])
    assert "user_id" not in rabbit.get("copies").properties


def test_without_an_exchange_the_topic_is_the_queue(rabbit, reader, source):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    adapter.publish([OutgoingMessage(b"1", "work", (("eventhub-retry-of", "7"),), key="order.placed")])
    [message] = take(adapter, 1)
    assert (message.body, message.headers) == (b"1", {"eventhub-retry-of": "7"})


def test_what_no_queue_takes_is_refused_by_its_index_and_the_rest_is_out(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    rabbit.channel.queue_bind(rabbit.queue("shipping"), "orders", "order.*")
    adapter = reader(source(exchange="orders"))
    keys = ["order.placed", "invoice.paid", "order.paid", "invoice.paid", "order.sent"]
    with pytest.raises(Refused) as refused:
        adapter.publish(
            [
                OutgoingMessage(
                    b"same", "", properties={"exchange": "orders", "routing_key": key, "app_id": f"{n}"}
                )
                for n, key in enumerate(keys)
            ]
        )
    assert list(refused.value.reasons) == [1, 3]
    assert "nothing is bound to the exchange 'orders' for the routing key 'invoice.paid'" in str(
        refused.value
    )
    assert [rabbit.get("shipping").properties["app_id"] for _ in range(3)] == ["0", "2", "4"]


def test_which_of_many_alike_came_back_is_told_by_their_headers(rabbit, reader, source):
    rabbit.exchange("kinds", "headers")
    rabbit.channel.queue_bind(rabbit.queue("some"), "kinds", "", arguments={"x-match": "all", "kind": "a"})
    adapter = reader(source(exchange="kinds"))
    kinds = ["a", "b", "a", "a", "b"]
    with pytest.raises(Refused) as refused:
        adapter.publish(
            [
                OutgoingMessage(b"same", "", (("kind", kind),), properties={"exchange": "kinds"})
                for kind in kinds
            ]
        )
    assert list(refused.value.reasons) == [1, 4]


def test_a_missing_exchange_refuses_what_is_for_it_and_nothing_else(rabbit, reader, source):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))

    def to(exchange, key="work"):
        return OutgoingMessage(b"1", "", properties={"exchange": exchange, "routing_key": key})

    with pytest.raises(Refused, match="no exchange 'nowhere'") as refused:
        adapter.publish([to(""), to("nowhere"), to(""), to("nowhere"), to("")])
    assert list(refused.value.reasons) == [1, 3]
    assert rabbit.waiting("work") == 3


def test_a_full_queue_refuses(rabbit, reader, source):
    rabbit.queue("small", x_max_length=2, x_overflow="reject-publish")
    adapter = reader(source(queue="small"))
    with pytest.raises(Refused, match="a queue that it is for is full") as refused:
        adapter.publish([OutgoingMessage(b"%d" % n, "small") for n in range(5)])
    assert 0 not in refused.value.reasons
    assert rabbit.waiting("small") == 5 - len(refused.value.reasons)


def test_what_amqp_cannot_carry_is_refused_and_the_rest_is_out(rabbit, reader, source):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    bad = OutgoingMessage(b"2", "work", properties={"priority": "high"})
    with pytest.raises(Refused, match="priority") as refused:
        adapter.publish([OutgoingMessage(b"1", "work"), bad, OutgoingMessage(b"3", "work")])
    assert list(refused.value.reasons) == [1]
    assert bodies(take(adapter, 2)) == [b"1", b"3"]


def test_large_bodies_are_cut_into_frames(rabbit, reader, source):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    large = bytes(range(256)) * 20_000
    adapter.publish([OutgoingMessage(large, "work"), OutgoingMessage(b"", "work")])
    assert bodies(take(adapter, 2)) == [large, b""]


def test_thousands_are_confirmed_in_their_order(rabbit, reader, source):
    rabbit.queue("work", "quorum")
    adapter = reader(source(queue="work"))
    sent = [b"%d" % number + b"x" * 500 for number in range(5_000)]
    adapter.publish([OutgoingMessage(body, "work") for body in sent])
    assert bodies(take(adapter, 5_000)) == sent


def test_an_alternate_exchange_gets_what_the_exchange_cannot_route(rabbit, reader, source):
    rabbit.exchange("unrouted", "fanout")
    rabbit.channel.exchange_declare(
        "orders", "topic", durable=True, auto_delete=False, arguments={"alternate-exchange": "unrouted"}
    )
    adapter = reader(source(exchange="unrouted"))
    adapter.poll(1, 0.1)
    adapter.publish([OutgoingMessage(b"1", "", properties={"exchange": "orders", "routing_key": "a.b"})])
    [message] = take(adapter, 1)
    assert (message.topic, message.properties["exchange"], message.key) == ("unrouted", "orders", "a.b")


def test_a_publisher_that_was_idle_beyond_the_heartbeat_connects_anew(rabbit, reader, source, monkeypatch):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    adapter.publish([OutgoingMessage(b"1", "work")])
    adapter._publisher._connection.collect()  # as the broker does with who does not answer
    adapter._publisher.used_at -= 61
    adapter.publish([OutgoingMessage(b"2", "work")])
    assert bodies(take(adapter, 2)) == [b"1", b"2"]


def test_a_broken_connection_is_no_refusal_and_the_next_one_works(rabbit, reader, source):
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    adapter.publish([OutgoingMessage(b"1", "work")])
    close_connections(rabbit, "publishing")
    with pytest.raises(BrokerError) as broken:
        adapter.publish([OutgoingMessage(b"2", "work")])
    assert not isinstance(broken.value, Refused)
    adapter.publish([OutgoingMessage(b"3", "work")])
    assert bodies(take(adapter, 2)) == [b"1", b"3"]


def close_connections(rabbit, doing):
    """Have the broker close the adapter's connections, which it knows by name, as it does when it shuts down."""
    deadline = time.monotonic() + 20
    while True:
        found = [
            connection["name"]
            for connection in rabbit.api("GET", "vhosts/{vhost}/connections")
            if doing in connection.get("client_properties", {}).get("connection_name", "")
        ]
        if found:
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    for name in found:
        rabbit.api("DELETE", f"connections/{name.replace(' ', '%20').replace('>', '%3E')}")


def test_where_a_message_would_go_is_told(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    rabbit.channel.queue_bind(rabbit.queue("shipping"), "orders", "order.*")
    rabbit.channel.queue_bind(rabbit.queue("billing"), "orders", "#")
    adapter = reader(source(queue="shipping", management_url=rabbit.management_url))
    adapter.poll(1, 0.1)

    def place(exchange, key, topic=""):
        properties = {} if exchange is None else {"exchange": exchange, "routing_key": key}
        return adapter.place_of(OutgoingMessage(b"", topic, properties=properties))

    assert (place(None, "", "shipping").exists, place(None, "", "shipping").readers) == (True, 1)
    assert place("", "shipping").readers == 1
    assert place("", "nowhere").exists is False
    assert place("nowhere", "a").exists is False
    assert place("orders", "order.placed").readers == 2
    assert place("orders", "invoice").readers == 1
    rabbit.channel.queue_unbind("billing", "orders", "#")
    nobody = place("orders", "invoice")
    assert (nobody.exists, nobody.readers) == (True, 0)
    assert "would come back" in nobody.note


def test_x_death_is_told_and_leads_back(rabbit, reader, source):
    """Two hops: rejected by a service, then expired on the way; back to the exchange and key where it began."""
    rabbit.exchange("orders", "topic")
    rabbit.exchange("dead", "fanout")
    rabbit.exchange("deader", "fanout")
    rabbit.channel.queue_bind(rabbit.queue("shipping", x_dead_letter_exchange="dead"), "orders", "order.*")
    rabbit.channel.queue_bind(
        rabbit.queue("waiting", x_dead_letter_exchange="deader", x_message_ttl=100), "dead", ""
    )
    rabbit.channel.queue_bind(rabbit.queue("graveyard", "quorum"), "deader", "")
    rabbit.publish(b"1", "orders", "order.placed", headers={"n": 1}, message_id="m-1")
    deadline = time.monotonic() + 10
    while (message := rabbit.channel.basic_get("shipping")) is None:
        assert time.monotonic() < deadline
    rabbit.channel.basic_reject(message.delivery_tag, requeue=False)
    adapter = reader(source(queue="graveyard", role="dead_letters"))
    [letter] = take(adapter, 1)
    deaths = json.loads(letter.headers["x-death"])
    assert [(death["queue"], death["reason"], death["count"]) for death in deaths] == [
        ("waiting", "expired", 1),
        ("shipping", "rejected", 1),
    ]
    assert (letter.headers["x-first-death-queue"], letter.headers["x-first-death-reason"]) == (
        "shipping",
        "rejected",
    )
    first = deaths[-1]
    back = sent_again(letter, exchange=first["exchange"], routing_key=first["routing-keys"][0])
    kept = tuple(pair for pair in back.headers if not pair[0].startswith("x-"))
    adapter.publish([OutgoingMessage(back.body, "", kept, properties=back.properties)])
    again = rabbit.get("shipping")
    assert again.body == b"1"
    assert again.properties == {"delivery_mode": 2, "message_id": "m-1", "application_headers": {"n": 1}}


@pytest.mark.parametrize(
    ("arguments", "kind", "reason"),
    [
        ({"x_max_length": 1}, "classic", "maxlen"),
        ({"x_message_ttl": 50}, "classic", "expired"),
        ({"x_delivery_limit": 1}, "quorum", "delivery_limit"),
    ],
)
def test_every_way_to_die_is_told(rabbit, reader, source, arguments, kind, reason):
    rabbit.exchange("dead", "fanout")
    rabbit.queue("work", kind, x_dead_letter_exchange="dead", **arguments)
    rabbit.channel.queue_bind(rabbit.queue("graveyard"), "dead", "")
    adapter = reader(source(queue="graveyard", role="dead_letters"))
    for _ in range(2):
        rabbit.publish(b"1", "", "work")
    if reason == "delivery_limit":
        for _ in range(6):
            time.sleep(0.1)
            if message := rabbit.channel.basic_get("work"):
                rabbit.channel.basic_reject(message.delivery_tag, requeue=True)
    [letter, *_] = take(adapter, 1)
    assert json.loads(letter.headers["x-death"])[0]["reason"] == reason
