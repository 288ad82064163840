import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from eventhub.brokers import redis_streams
from eventhub.brokers.adapter import BadConfig, BrokerError, Place, Refused, open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import OutgoingMessage


@pytest.fixture
def client():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def source():
    name = f"t-{uuid4().hex[:8]}"
    return Source(name=name, kind=Kind.REDIS, config={"streams": [f"{name}.a", f"{name}.b"]})


@pytest.fixture
def reader(source):
    opened = []

    def open_one(consumer="w1"):
        opened.append(open_adapter(source, consumer))
        return opened[-1]

    yield open_one
    for adapter in opened:
        adapter.close()


def bodies(messages):
    return [message.body for message in messages]


def test_entries_become_messages_with_headers_place_and_time(client, source, reader):
    stream = source.config["streams"][0]
    entry = client.xadd(stream, {"body": b"\xff", "TraceParent": "00-x", "n": "1"}).decode()
    [message] = reader().poll(10, 0)
    assert message.body == b"\xff"
    assert message.headers == {"traceparent": "00-x", "n": "1"}
    assert (message.topic, message.offset) == (stream, entry)
    assert message.origin_key == f"redis:{source.name}/{stream}/{entry}"
    assert abs(datetime.now(UTC) - message.timestamp) < timedelta(seconds=5)


def test_an_entry_without_body_is_its_only_field_or_a_json_object(client, source, reader):
    stream = source.config["streams"][0]
    client.xadd(stream, {"event": "whole"})
    client.xadd(stream, {"event_type": "a", "data": "1"})
    one, other = reader().poll(10, 0)
    assert one.body == b"whole"
    assert json.loads(other.body) == {"event_type": "a", "data": "1"}


def test_what_was_not_acknowledged_comes_again_to_the_same_consumer_and_the_rest_once(client, source, reader):
    stream = source.config["streams"][0]
    for n in range(10):
        client.xadd(stream, {"body": f"{n}"})
    first = reader()
    got = first.poll(6, 0)
    got += first.poll(6, 0)
    assert len(got) == 10
    first.acknowledge(got[:4])
    first.close()  # as if it had been killed
    again = reader()
    assert sorted(bodies(again.poll(100, 0))) == [b"4", b"5", b"6", b"7", b"8", b"9"]
    client.xadd(stream, {"body": "new"})
    assert bodies(again.poll(100, 0)) == [b"new"]


def test_two_consumers_share_the_messages(client, source, reader):
    one, other = reader("w1"), reader("w2")
    for n in range(20):
        client.xadd(source.config["streams"][n % 2], {"body": f"{n}"})
    got = (
        bodies(one.poll(10, 0))
        + bodies(other.poll(10, 0))
        + bodies(one.poll(10, 0))
        + bodies(other.poll(10, 0))
    )
    assert sorted(got, key=int) == [f"{n}".encode() for n in range(20)]


def test_what_a_vanished_consumer_took_is_taken_over(client, source, reader, monkeypatch):
    monkeypatch.setattr(redis_streams, "ABANDONED_AFTER", timedelta(0))
    monkeypatch.setattr(redis_streams, "LOOK_FOR_ABANDONED_EVERY_S", 0.0)
    client.xadd(source.config["streams"][1], {"body": "left behind"})
    assert len(reader("gone").poll(10, 0)) == 1
    other = reader("w2")
    got = bodies(other.poll(10, 0)) or bodies(other.poll(10, 0))
    assert got == [b"left behind"]


def test_a_deleted_stream_and_a_flush_do_not_stop_the_reader(client, source, reader):
    stream = source.config["streams"][0]
    adapter = reader()
    client.xadd(stream, {"body": "1"})
    adapter.acknowledge(adapter.poll(10, 0))
    client.delete(*source.config["streams"])
    assert adapter.poll(10, 0) == []
    client.xadd(stream, {"body": "2"})
    assert bodies(adapter.poll(10, 0)) == [b"2"]


def test_an_entry_deleted_before_it_was_read_again_is_let_go(client, source, reader):
    stream = source.config["streams"][0]
    entry = client.xadd(stream, {"body": "1"})
    reader().poll(10, 0)
    client.xdel(stream, entry)
    assert reader().poll(10, 0) == []
    assert client.xpending(stream, "eventhub")["pending"] == 0


def test_large_messages_are_read_few_at_a_time(client, source, reader):
    stream = source.config["streams"][0]
    for _ in range(40):
        client.xadd(stream, {"body": b"x" * 2_000_000})
    adapter = reader()
    batches = []
    while batch := adapter.poll(2000, 0):
        batches.append(sum(len(message.body) for message in batch))
        adapter.acknowledge(batch)
    assert sum(batches) == 80_000_000
    assert max(batches) < 40_000_000
    client.delete(stream)


def test_publishing_keeps_bytes_and_headers(client, source, reader):
    adapter = reader()
    stream = source.config["streams"][0]
    adapter.publish([OutgoingMessage(b"\x00\xff", stream, (("eventhub-retry-of", "7"),))])
    [message] = adapter.poll(10, 0)
    assert (message.body, message.headers) == (b"\x00\xff", {"eventhub-retry-of": "7"})


def test_lag_counts_what_waits_for_every_group(client, source, reader):
    adapter = reader()
    adapter.poll(1, 0)
    stream = source.config["streams"][0]
    client.xgroup_create(stream, "other", id="$")
    for n in range(5):
        client.xadd(stream, {"body": f"{n}"})
    taken = adapter.poll(2, 0)
    lags = {(lag.topic, lag.group): lag for lag in adapter.lag()}
    mine, other = lags[stream, "eventhub"], lags[stream, "other"]
    assert (mine.messages, mine.pending) == (5 - len(taken), len(taken))
    assert (other.messages, other.pending) == (5, 0)
    assert (mine.position, mine.end) == (taken[-1].offset, client.xrevrange(stream, count=1)[0][0].decode())
    assert timedelta(0) <= other.oldest_age < timedelta(seconds=10)
    idle = lags[source.config["streams"][1], "eventhub"]
    assert (idle.messages, idle.pending, idle.oldest_age) == (0, 0, timedelta(0))


def test_a_group_can_begin_with_what_is_new(client, source, reader):
    stream = source.config["streams"][0]
    client.xadd(stream, {"body": "old"})
    source.config["start"] = "$"
    adapter = reader()
    assert adapter.poll(10, 0) == []
    client.xadd(stream, {"body": "new"})
    assert bodies(adapter.poll(10, 0)) == [b"new"]


def test_a_redis_that_is_not_there_is_named_as_the_problem(source, reader):
    source.config["url"] = "redis://127.0.0.1:1/0"
    with pytest.raises(BrokerError, match="cannot be reached"):
        reader().poll(1, 0)


def test_a_mistake_in_the_config_is_named(source, reader):
    source.config = {"stream": ["a"]}
    with pytest.raises(BadConfig, match="stream"):
        reader()


def test_an_entry_id_that_is_no_time_does_not_harm(client, source, reader):
    client.xadd(source.config["streams"][0], {"body": "1"}, id="99999999999999999-0")
    [message] = reader().poll(10, 0)
    assert message.timestamp is None


def test_what_redis_refuses_is_told_apart_from_what_it_took(client, source, reader):
    name = source.config["streams"][0]
    client.set(f"{name}.text", "not a stream")
    with pytest.raises(Refused) as refusal:
        reader().publish(
            [OutgoingMessage(b"a", name), OutgoingMessage(b"b", f"{name}.text"), OutgoingMessage(b"c", name)]
        )
    assert list(refusal.value.reasons) == [1]
    assert "wrong kind of value" in str(refusal.value)
    assert client.xlen(name) == 2


def test_a_place_says_whether_it_is_there_and_who_reads_it(client, source, reader):
    name = source.config["streams"][0]
    there = OutgoingMessage(b"", name)
    assert reader().place_of(there).exists is False
    client.xgroup_create(name, "shipping", mkstream=True)
    assert reader().place_of(there) == Place(exists=True, readers=1)
