import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.rabbitmq import consuming
from eventhub.events.decoding import decode
from tests.integration.rabbitmq.conftest import bodies, take

QUEUES = ("classic", "quorum")


def tap(rabbit, reader, source, **config):
    """A reader whose queue is there and bound."""
    adapter = reader(source(**config))
    assert adapter.poll(1, 0.1) == []
    return adapter


@pytest.mark.parametrize("queue_type", QUEUES)
def test_a_tap_copies_what_its_bindings_say_and_takes_nothing_from_others(rabbit, reader, source, queue_type):
    rabbit.exchange("orders", "topic")
    rabbit.channel.queue_bind(rabbit.queue("shipping"), "orders", "#")
    adapter = tap(
        rabbit, reader, source, exchange="orders", bindings=["order.#", "*.paid"], queue_type=queue_type
    )
    for key in ("order.placed", "invoice.paid", "invoice.sent"):
        rabbit.publish(key.encode(), "orders", key)
    messages = take(adapter, 2)
    assert bodies(messages) == [b"order.placed", b"invoice.paid"]
    assert [(message.topic, message.key) for message in messages] == [
        ("orders", "order.placed"),
        ("orders", "invoice.paid"),
    ]
    assert rabbit.waiting("shipping") == 3


def test_a_tap_on_a_direct_exchange_gets_the_keys_it_names(rabbit, reader, source):
    rabbit.exchange("logs", "direct")
    adapter = tap(rabbit, reader, source, exchange="logs", bindings=["error", "warning"])
    for key in ("error", "info", "warning"):
        rabbit.publish(key.encode(), "logs", key)
    assert bodies(take(adapter, 2)) == [b"error", b"warning"]


def test_a_tap_on_a_fanout_exchange_gets_everything(rabbit, reader, source):
    rabbit.exchange("news", "fanout")
    adapter = tap(rabbit, reader, source, exchange="news")
    rabbit.publish(b"1", "news", "any")
    assert bodies(take(adapter, 1)) == [b"1"]


def test_a_tap_on_a_headers_exchange_gets_what_its_headers_say_or_everything(rabbit, reader, source):
    rabbit.exchange("kinds", "headers")
    some = tap(
        rabbit,
        reader,
        source,
        exchange="kinds",
        header_bindings=[{"x-match": "all", "kind": "order", "n": 1}],
    )
    every = tap(rabbit, reader, source, exchange="kinds")
    rabbit.publish(b"1", "kinds", headers={"kind": "order", "n": 1})
    rabbit.publish(b"2", "kinds", headers={"kind": "order", "n": 2})
    assert bodies(take(some, 1)) == [b"1"]
    assert bodies(take(every, 2)) == [b"1", b"2"]


def test_the_taps_queue_outlives_the_reader(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    one = source(exchange="orders")
    adapter = reader(one)
    adapter.poll(1, 0.1)
    adapter.close()
    rabbit.publish(b"meanwhile", "orders", "a")
    assert bodies(take(reader(one), 1)) == [b"meanwhile"]


def test_what_a_killed_reader_took_is_delivered_again_however_often(rabbit, reader, source):
    """RabbitMQ 4 gives up on a message that came back 20 times; a tap's queue must not."""
    rabbit.exchange("orders", "topic")
    one = source(exchange="orders")
    adapter = reader(one)
    adapter.poll(1, 0.1)
    adapter.close()
    rabbit.publish(b"1", "orders", "a")
    counts = []
    for _ in range(25):
        adapter = reader(one)
        [message] = take(adapter, 1)
        counts.append(message.delivery_count)
        adapter._consumer._connection.collect()  # as a kill would
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] >= 20


def test_a_given_queue_is_read_and_emptied_by_acknowledging(rabbit, reader, source):
    rabbit.queue("work")
    for number in range(10):
        rabbit.publish(b"%d" % number, "", "work")
    adapter = reader(source(queue="work"))
    messages = take(adapter, 10)
    adapter.acknowledge(messages)
    adapter.close()
    assert rabbit.waiting("work") == 0
    assert messages[0].topic == "work"


@pytest.mark.parametrize("queue_type", QUEUES)
def test_batches_may_be_acknowledged_in_any_order_while_others_are_in_work(
    rabbit, reader, source, queue_type
):
    rabbit.queue("work", queue_type)
    for number in range(30):
        rabbit.publish(b"%d" % number, "", "work")
    one = source(queue="work")
    adapter = reader(one)
    taken = take(adapter, 30)
    first, second, third = taken[:10], taken[10:20], taken[20:]
    adapter.acknowledge(second)
    adapter.acknowledge([*third[:5], *reversed(first[5:])])
    adapter.close()
    again = take(reader(one), 10)
    assert sorted(map(int, bodies(again))) == [0, 1, 2, 3, 4, 25, 26, 27, 28, 29]


@pytest.mark.parametrize("queue_type", QUEUES)
def test_two_workers_share_a_queue(rabbit, reader, source, queue_type):
    rabbit.queue("work", queue_type)
    one = source(queue="work", prefetch=20)
    workers = [reader(one, "w1"), reader(one, "w2")]
    for worker in workers:
        worker.poll(1, 0.1)
    for number in range(200):
        rabbit.publish(b"%d" % number, "", "work")
    taken = [[], []]
    while len(taken[0]) + len(taken[1]) < 200:
        for worker, its in zip(workers, taken, strict=True):
            batch = worker.poll(10, 0.2)
            worker.acknowledge(batch)
            its += bodies(batch)
    assert sorted(map(int, taken[0] + taken[1])) == list(range(200))
    assert min(map(len, taken)) >= 20


def test_deliveries_are_counted_as_far_as_the_queue_tells(rabbit, reader, source):
    for kind in QUEUES:
        rabbit.queue(kind, kind)
        rabbit.publish(b"1", "", kind)
        one = source(queue=kind)
        counts = []
        for _ in range(3):
            adapter = reader(one)
            counts += [message.delivery_count for message in take(adapter, 1)]
            adapter.close()
        assert counts == ([1, 2, 2] if kind == "classic" else [1, 2, 3])


def test_the_highest_priority_comes_first(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    one = source(exchange="orders", queue_type="classic", max_priority=9)
    adapter = reader(one)
    adapter.poll(1, 0.1)
    adapter.close()
    for priority in (1, 9, 5):
        rabbit.publish(b"%d" % priority, "orders", "a", priority=priority)
    messages = take(reader(one), 3)
    assert bodies(messages) == [b"9", b"5", b"1"]
    assert [message.properties["priority"] for message in messages] == ["9", "5", "1"]


def test_headers_are_text_and_properties_are_told(rabbit, reader, source):
    rabbit.queue("work")
    rabbit.publish(
        b"{}",
        "",
        "work",
        headers={
            "Tenant": "acme",
            "n": 7,
            "price": Decimal("1.50"),
            "path": ["a", {"b": True}],
            "raw": b"\xff",
        },
        content_type="text/plain",
        correlation_id="c-1",
        message_id="m-1",
        timestamp=1795597200,
        type="order.placed",
        app_id="shop",
        priority=3,
        reply_to="answers",
        expiration="60000",
    )
    [message] = take(reader(source(queue="work")), 1)
    assert message.headers == {
        "tenant": "acme",
        "n": "7",
        "price": "1.50",
        "path": '["a",{"b":true}]',
        "raw": "base64:/w==",
        "content-type": "text/plain",
    }
    assert message.header_pairs()[0] == ("Tenant", "acme")
    assert message.timestamp == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
    properties = dict(message.properties)
    assert properties.pop("typed_headers")
    assert properties == {
        "exchange": "",
        "routing_key": "work",
        "queue": "work",
        "content_type": "text/plain",
        "delivery_mode": "2",
        "correlation_id": "c-1",
        "message_id": "m-1",
        "timestamp": "1795597200",
        "type": "order.placed",
        "app_id": "shop",
        "priority": "3",
        "reply_to": "answers",
        "expiration": "60000",
    }


def test_a_timestamp_in_milliseconds_is_understood_and_none_is_the_time_of_reading(rabbit, reader, source):
    rabbit.queue("work")
    rabbit.publish(b"1", "", "work", timestamp=1795597200123)
    rabbit.publish(b"2", "", "work", timestamp=1, headers={"timestamp_in_ms": 1795597200500})
    rabbit.publish(b"3", "", "work", timestamp=2**64 - 1)
    rabbit.publish(b"4", "", "work")
    times = [message.timestamp for message in take(reader(source(queue="work")), 4)]
    assert times[0] == datetime(2026, 11, 25, 9, 0, 0, 123000, tzinfo=UTC)
    assert times[1] == datetime(2026, 11, 25, 9, 0, 0, 500000, tzinfo=UTC)
    for time in times[2:]:
        assert abs(datetime.now(UTC) - time) < timedelta(seconds=30)


def test_a_message_is_known_by_its_id_else_by_what_it_holds(rabbit, reader, source):
    rabbit.queue("work")
    one = source(queue="work")
    rabbit.publish(b"1", "", "work", message_id="m-1")
    rabbit.publish(b"2", "", "work")
    rabbit.publish(b"2", "", "work", type="other")
    rabbit.publish(b"3", "", "work", message_id="a\x1fb")
    adapter = reader(one)
    keys = [message.origin_key for message in take(adapter, 4)]
    adapter.close()
    assert keys[0] == f"rabbitmq:{one.name}/m-1"
    assert keys[1] == keys[2]
    assert all(key.startswith(f"rabbitmq:{one.name}/content/") for key in keys[1:])
    assert [message.origin_key for message in take(reader(one), 4)] == keys


def test_a_dead_letter_that_dies_twice_is_two_and_one_that_is_read_twice_is_one(rabbit, reader, source):
    rabbit.queue("dead", "quorum")
    one = source(queue="dead", role="dead_letters")
    death = {"queue": "work", "reason": "rejected", "count": 1}
    rabbit.publish(b"1", "", "dead", message_id="m-1", headers={"x-death": [death]})
    rabbit.publish(b"1", "", "dead", message_id="m-1", headers={"x-death": [death | {"count": 2}]})
    adapter = reader(one)
    keys = [message.origin_key for message in take(adapter, 2)]
    adapter.close()
    assert len(set(keys)) == 2
    again = take(reader(one), 2)
    assert [message.origin_key for message in again] == keys
    assert "x-delivery-count" in again[0].headers


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_"])
def test_cloudevents_over_amqp_are_read_in_binary_mode(rabbit, reader, source, prefix):
    rabbit.queue("work")
    attributes = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "order.placed"}
    rabbit.publish(
        b'{"total": 1}',
        "",
        "work",
        headers={f"{prefix}{name}": value for name, value in attributes.items()}
        | {f"{prefix}time": datetime(2026, 11, 25, 9, 0)},
        content_type="application/json; charset=utf-8",
    )
    [message] = take(reader(source(queue="work")), 1)
    event = decode(message)
    assert (event.event_id, event.source, event.event_type) == ("e-1", "/shop", "order.placed")
    assert event.occurred_at == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
    assert json.loads(event.metadata)["datacontenttype"] == "application/json; charset=utf-8"


def test_structured_cloudevents_over_amqp_are_read_and_correlated(rabbit, reader, source):
    rabbit.queue("work")
    body = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop",
        "type": "order.placed",
        "data": {"total": 1},
    }
    rabbit.publish(
        json.dumps(body).encode(),
        "",
        "work",
        content_type="application/cloudevents+json",
        correlation_id="c-1",
        timestamp=1795597200,
    )
    [message] = take(reader(source(queue="work")), 1)
    assert message.headers == {"content-type": "application/cloudevents+json"}
    event = decode(message)
    assert (event.event_id, event.correlation_id) == ("e-1", "c-1")


def test_large_messages_are_read_few_at_a_time_and_prefetched_few_at_a_time(rabbit, reader, source):
    rabbit.queue("work")
    for _ in range(60):
        rabbit.publish(b"x" * 1_000_000, "", "work")
    adapter = reader(source(queue="work"))
    first = adapter.poll(5000, 5)
    assert sum(map(len, bodies(first))) < 2 * consuming.BATCH_BYTES
    sizes = [len(first)]
    adapter.acknowledge(first)
    while sum(sizes) < 60:
        batch = adapter.poll(5000, 5)
        sizes.append(len(batch))
        adapter.acknowledge(batch)
    assert max(sizes) <= 17
    assert adapter._consumer.prefetch <= 40
    for number in range(3000):
        rabbit.publish(b"%d" % number, "", "work")
    small = []
    while len(small) < 3000:
        batch = adapter.poll(5000, 5)
        adapter.acknowledge(batch)
        small += bodies(batch)
    assert small == [b"%d" % number for number in range(3000)]
    assert adapter._consumer.prefetch > 100
    adapter.close()
    assert rabbit.waiting("work") == 0


def test_no_more_is_handed_out_than_the_prefetch(rabbit, reader, source):
    rabbit.queue("work")
    for number in range(50):
        rabbit.publish(b"%d" % number, "", "work")
    adapter = reader(source(queue="work", prefetch=20))
    taken = take(adapter, 20)
    assert take(adapter, 0) == []
    assert rabbit.waiting("work") == 30
    adapter.acknowledge(taken)
    assert len(take(adapter, 20)) == 20


def test_a_queue_that_is_deleted_while_it_is_read_is_noticed(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    one = source(exchange="orders")
    adapter = reader(one)
    adapter.poll(1, 0.1)
    rabbit.channel.queue_delete(f"eventhub.{one.name}")
    with pytest.raises(BrokerError, match="ended the reading: the queue was deleted"):
        take(adapter, 1)
    adapter.close()
    again = reader(one)
    again.poll(1, 0.1)
    rabbit.publish(b"1", "orders", "a")
    assert bodies(take(again, 1)) == [b"1"]
