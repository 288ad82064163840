import time

import pytest
from django.db import connection

from eventhub.brokers.models import ReadPosition
from eventhub.brokers.rabbitmq import stream as streams
from eventhub.events.message import OutgoingMessage
from tests.integration.rabbitmq.conftest import bodies, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stream(rabbit, source):
    rabbit.queue("log", "stream")
    return source(saved=True, queue="log", queue_type="stream")


def fill(rabbit, start, stop, stream="log"):
    for number in range(start, stop):
        rabbit.publish(b"%d" % number, "", stream)


def numbers(messages):
    return [int(body) for body in bodies(messages)]


def test_a_stream_is_read_from_its_beginning_and_then_from_where_it_was_acknowledged(rabbit, reader, stream):
    fill(rabbit, 0, 20)
    first = reader(stream)
    taken = take(first, 20)
    assert numbers(taken) == list(range(20))
    assert [message.offset for message in taken[:2]] == ["0", "1"]
    assert taken[7].origin_key == f"rabbitmq:{stream.name}/log/7"
    first.acknowledge(taken[:12])
    first.close()
    fill(rabbit, 20, 25)
    second = reader(stream)
    assert numbers(take(second, 13)) == list(range(12, 25))
    second.close()
    assert ReadPosition.objects.get(source=stream).offset == 11


def test_the_position_goes_no_further_than_what_is_acknowledged_without_a_gap(rabbit, reader, stream):
    fill(rabbit, 0, 30)
    adapter = reader(stream)
    taken = take(adapter, 30)
    adapter.acknowledge(taken[10:20])
    assert not ReadPosition.objects.exists()
    adapter.acknowledge(taken[:10])
    assert ReadPosition.objects.get().offset == 19
    [lag] = adapter.lag()
    assert (lag.messages, lag.position, lag.end) == (10, "19", "29")


def test_reading_goes_on_beyond_the_prefetch(rabbit, reader, source):
    rabbit.queue("log", "stream")
    fill(rabbit, 0, 500)
    adapter = reader(source(saved=True, queue="log", queue_type="stream", prefetch=50))
    taken = []
    while len(taken) < 500:
        batch = adapter.poll(40, 5)
        assert batch
        adapter.acknowledge(batch)
        taken += numbers(batch)
    assert taken == list(range(500))


@pytest.mark.parametrize(("start", "first"), [("7", 7), ("first", 0), ("2001-01-01T00:00:00Z", 0)])
def test_reading_begins_where_the_config_says(rabbit, reader, source, start, first):
    rabbit.queue("log", "stream")
    fill(rabbit, 0, 10)
    adapter = reader(source(saved=True, queue="log", queue_type="stream", stream_start=start))
    assert numbers(take(adapter, 10 - first)) == list(range(first, 10))


def test_reading_can_begin_with_what_is_new(rabbit, reader, source):
    rabbit.queue("log", "stream")
    fill(rabbit, 0, 10)
    adapter = reader(source(saved=True, queue="log", queue_type="stream", stream_start="next"))
    assert take(adapter, 0) == []
    fill(rabbit, 10, 12)
    assert numbers(take(adapter, 2)) == [10, 11]


def test_one_worker_reads_a_stream_and_another_takes_over(rabbit, reader, stream):
    one, other = reader(stream, "w1"), reader(stream, "w2")
    fill(rabbit, 0, 10)
    taken = take(one, 10)
    assert take(other, 0) == []
    one.acknowledge(taken[:6])
    one.close()
    assert numbers(take(other, 4)) == [6, 7, 8, 9]


def test_a_reader_that_lost_its_database_connection_stops(rabbit, reader, stream):
    fill(rabbit, 0, 10)
    adapter = reader(stream)
    taken = take(adapter, 10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
    with pytest.raises(Exception, match="position in the stream log cannot be kept"):
        adapter.acknowledge(taken)


def test_a_stream_that_was_made_anew_is_read_from_its_beginning(rabbit, reader, stream, monkeypatch):
    monkeypatch.setattr(streams, "PROOF_TIMEOUT_S", 1.0)
    fill(rabbit, 0, 50)
    adapter = reader(stream)
    adapter.acknowledge(take(adapter, 50))
    adapter.close()
    rabbit.channel.queue_delete("log")
    rabbit.queue("log", "stream")
    fill(rabbit, 0, 5)
    assert numbers(take(reader(stream), 5)) == [0, 1, 2, 3, 4]


def test_an_idle_stream_is_not_taken_for_a_new_one(rabbit, reader, stream, monkeypatch):
    monkeypatch.setattr(streams, "PROOF_TIMEOUT_S", 0.5)
    fill(rabbit, 0, 50)
    adapter = reader(stream)
    adapter.acknowledge(take(adapter, 50))
    adapter.close()
    again = reader(stream)
    for _ in range(6):
        assert again.poll(100, 0.3) == []
    fill(rabbit, 50, 51)
    assert numbers(take(again, 1)) == [50]


def test_a_tap_can_have_a_stream_of_its_own(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    tap = source(saved=True, exchange="orders", queue_type="stream", stream_max_age="1D")
    adapter = reader(tap)
    adapter.poll(1, 0.1)
    adapter.publish([OutgoingMessage(b"1", "", properties={"exchange": "orders", "routing_key": "a"})])
    [message] = take(adapter, 1)
    assert (message.topic, message.key, message.offset) == ("orders", "a", "0")


def test_the_lag_of_a_stream_is_the_way_to_its_end(rabbit, reader, stream):
    adapter = reader(stream)
    fill(rabbit, 0, 2500)
    assert adapter.lag()[0].messages is None  # nothing was read: where it begins is not known
    adapter.acknowledge(take(adapter, 1000)[:1000])
    deadline = time.monotonic() + 20
    while (waiting := adapter.lag()[0].messages) != 1500:
        assert time.monotonic() < deadline, waiting
