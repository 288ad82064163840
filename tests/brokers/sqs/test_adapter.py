import json
import random
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from eventhub.brokers.sqs import receiving
from eventhub.events.message import OutgoingMessage
from tests.brokers.sqs.queues import bodies, counts, poll_all, send, wait_for

pytestmark = pytest.mark.integration


# -- Messages -----------------------------------------------------------------------------------------


def test_a_message_comes_with_its_attributes_its_place_and_its_time(client, queue, reader):
    name = queue()
    send(
        client,
        name,
        "hé",
        MessageAttributes={
            "TraceParent": {"DataType": "String", "StringValue": "00-x"},
            "n": {"DataType": "Number", "StringValue": "3"},
            "b": {"DataType": "Binary", "BinaryValue": b"\xff"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"}},
    )
    adapter = reader(name)
    [message] = poll_all(adapter, 1)
    assert (message.body, message.topic, message.delivery_count) == ("hé".encode(), name, 1)
    assert message.headers == {"traceparent": "00-x", "n": "3", "b": "base64:/w=="}
    assert dict(message.header_pairs())["TraceParent"] == "00-x"
    assert abs(datetime.now(UTC) - message.timestamp) < timedelta(seconds=5)
    assert message.properties["AWSTraceHeader"] == "Root=1-5759e988"
    assert message.properties["DataType.b"] == "Binary"
    assert int(message.properties["ApproximateFirstReceiveTimestamp"]) > 0
    assert counts(client, name) == (0, 0)


def test_publishing_sends_bytes_headers_and_properties_as_they_came(client, queue, reader):
    one, other = queue("-a.fifo"), queue("-b.fifo")
    headers = (("TraceParent", "00-x"), ("n", "3"), ("b", "base64:/w=="))
    properties = {
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d-1",
        "AWSTraceHeader": "Root=1-5759e988",
        "DataType.n": "Number",
    }
    adapter = reader(one, other)
    adapter.publish([OutgoingMessage('{"é": 1}'.encode(), one, headers, properties=properties)])
    [first] = poll_all(adapter, 1)
    adapter.publish(
        [OutgoingMessage(first.body, other, first.header_pairs(), first.key, properties=first.properties)]
    )
    [second] = poll_all(adapter, 1)
    assert (first.topic, second.topic) == (one, other)
    for message in (first, second):
        assert message.body == '{"é": 1}'.encode()
        assert sorted(message.header_pairs()) == sorted(headers)
        assert {name: message.properties.get(name) for name in properties} == properties


def test_a_queue_is_named_by_its_name_its_url_or_its_arn(client, queue, reader):
    name = queue()
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for named in (name, url, arn):
        adapter = reader(named)
        adapter.publish([OutgoingMessage(b"1", named)])
        [message] = poll_all(adapter, 1)
        assert message.topic == name
        adapter.close()


def test_what_a_queue_gave_up_on_tells_where_it_came_from_and_can_be_sent_there(client, queue, reader):
    dead = queue("-dead")
    dead_url = client.get_queue_url(QueueName=dead)["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    name = queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"}))
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    send(client, name, "poison")
    assert client.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    assert not client.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages")
    adapter = reader(dead)
    [letter] = poll_all(adapter, 1)
    assert letter.properties["DeadLetterQueueSourceArn"].endswith(f":{name}")
    assert letter.delivery_count >= 2
    adapter.publish([OutgoingMessage(letter.body, letter.properties["DeadLetterQueueSourceArn"])])
    assert counts(client, name) == (1, 0)


# -- Reading ------------------------------------------------------------------------------------------


def test_thousands_are_received_by_many_receivers_each_once(client, queue, reader):
    name = queue()
    adapter = reader(name)
    adapter.publish([OutgoingMessage(b"%d" % n, name) for n in range(3000)])
    messages = poll_all(adapter, 3000, 60)
    assert sorted(map(int, bodies(messages))) == list(range(3000))
    assert counts(client, name) == (0, 0)


def test_what_is_not_acknowledged_comes_again_as_soon_as_the_reader_is_closed(client, queue, reader):
    name = queue()
    send(client, name, *(str(n) for n in range(25)))
    first = reader(name)
    got = poll_all(first, 25, acknowledge=False)
    first.acknowledge(got[:10])
    first.close()
    again = poll_all(reader(name), 15)
    assert sorted(bodies(again)) == sorted(bodies(got[10:]))
    assert {message.delivery_count for message in again} == {2}
    assert counts(client, name) == (0, 0)


def test_what_was_received_and_never_polled_is_given_back_too(client, queue, reader):
    name = queue()
    send(client, name, *(str(n) for n in range(25)))
    first = reader(name)
    assert len(first.poll(1, 5)) == 1
    wait_for(lambda: counts(client, name) == (0, 25))
    first.close()
    assert counts(client, name) == (25, 0)


def test_two_readers_share_a_queue(client, queue, reader):
    name = queue()
    one, other = reader(name), reader(name)
    one.publish([OutgoingMessage(b"%d" % n, name) for n in range(400)])
    got: list[str] = []
    shares = [0, 0]
    deadline = time.monotonic() + 20
    while len(got) < 400 and time.monotonic() < deadline:
        for n, adapter in enumerate((one, other)):
            batch = adapter.poll(20, 0.1)
            adapter.acknowledge(batch)
            shares[n] += len(batch)
            got += bodies(batch)
    assert sorted(map(int, got)) == list(range(400))
    assert min(shares) > 0


def test_a_poll_returns_at_once_with_little_and_after_its_timeout_with_nothing(client, queue, reader):
    name = queue()
    adapter = reader(name)
    began = time.monotonic()
    assert adapter.poll(5000, 0.5) == []
    assert 0.5 <= time.monotonic() - began < 5
    began = time.monotonic()
    assert adapter.poll(5000, 0) == []
    assert time.monotonic() - began < 5
    send(client, name, "1", "2")
    began = time.monotonic()
    assert adapter.poll(5000, 30)
    assert time.monotonic() - began < 15


def test_the_buffer_is_bounded_and_goes_on_when_there_is_room(client, queue, reader, monkeypatch):
    monkeypatch.setattr(receiving, "BUFFER_MESSAGES", 100)
    name = queue()
    adapter = reader(name, receivers=4)
    adapter.publish([OutgoingMessage(b"%d" % n, name) for n in range(500)])
    got = adapter.poll(1, 5)
    time.sleep(1.0)
    waiting, held = counts(client, name)
    assert waiting + held == 500
    assert 90 <= held <= 150
    got += poll_all(adapter, 499)
    assert sorted(map(int, bodies(got))) == list(range(500))


def test_large_messages_are_received_few_at_a_time(client, queue, reader, monkeypatch):
    monkeypatch.setattr(receiving, "BUFFER_BYTES", 2_000_000)
    name = queue()
    adapter = reader(name)
    body = b"x" * 150_000
    adapter.publish([OutgoingMessage(body, name) for _ in range(60)])
    got = adapter.poll(1, 5)
    time.sleep(1.0)
    _, held = counts(client, name)
    assert held * 150_000 < 2 * 2_000_000 + 10 * 150_000
    got += poll_all(adapter, 59)
    assert len(got) == 60


def test_an_idle_queue_costs_few_requests_and_a_full_one_is_asked_by_many(client, queue, reader, door):
    name = queue()
    adapter = reader(name, endpoint_url=door.url, receivers=6)
    poll_all(adapter, 1, 2.0)
    assert door.requests["ReceiveMessage"] == 1
    adapter.publish([OutgoingMessage(b"%d" % n, name) for n in range(600)])
    poll_all(adapter, 600, 20)
    [reading] = adapter._receiving.queues
    wait_for(lambda: reading.extras == 0)
    door.requests.clear()
    time.sleep(2.0)
    assert door.requests["ReceiveMessage"] <= 1


def test_closing_does_not_wait_for_long_polling_and_what_comes_then_is_given_back(client, queue, reader):
    name = queue()
    adapter = reader(name, wait_time_s=20, visibility_timeout_s=60)
    assert adapter.poll(10, 0.3) == []
    began = time.monotonic()
    adapter.close()
    assert time.monotonic() - began < 10
    send(client, name, "late")
    assert bodies(poll_all(reader(name), 1, 5)) == ["late"]


def test_closing_again_and_acknowledging_nothing_do_no_harm(queue, reader):
    adapter = reader(queue())
    adapter.acknowledge([])
    adapter.close()
    adapter.close()


def test_one_queue_that_is_not_there_does_not_stop_the_others(client, queue, reader, monkeypatch):
    monkeypatch.setattr(receiving, "UNUSABLE_PAUSE_S", 0.2)
    name, late = queue(), f"{queue()}-late"
    adapter = reader(late, name)
    send(client, name, "1")
    assert bodies(poll_all(adapter, 1)) == ["1"]
    wait_for(lambda: adapter.problems())
    [problem] = adapter.problems()
    assert f"no queue '{late}'" in problem
    url = client.create_queue(QueueName=late)["QueueUrl"]
    send(client, late, "2")
    assert bodies(poll_all(adapter, 1)) == ["2"]
    assert adapter.problems() == []
    client.delete_queue(QueueUrl=url)


# -- FIFO ---------------------------------------------------------------------------------------------


def test_each_group_of_a_fifo_queue_stays_in_order_with_many_receivers_and_readers_that_come_and_go(
    queue, reader
):
    name = queue(".fifo")
    choice = random.Random(7)
    expected = {f"g{g}": [f"g{g}-{n}" for n in range(40)] for g in range(12)}
    outgoing = [
        OutgoingMessage(body.encode(), name, properties={"MessageGroupId": group})
        for group, own in expected.items()
        for body in own
    ]
    # Shuffled, with each group in its order.
    lots = [message.properties["MessageGroupId"] for message in outgoing]
    choice.shuffle(lots)
    rest = {
        group: iter([m for m in outgoing if m.properties["MessageGroupId"] == group]) for group in expected
    }
    adapter = reader(name)
    adapter.publish([next(rest[group]) for group in lots])
    stored: dict[str, list[str]] = defaultdict(list)
    deadline = time.monotonic() + 60
    while sum(map(len, stored.values())) < len(outgoing):
        assert time.monotonic() < deadline
        batch = adapter.poll(choice.randint(1, 60), 0.5)
        if choice.random() < 0.1:  # it fails before it is stored
            adapter.close()
            adapter = reader(name)
            continue
        for message in batch:
            stored[message.key].append(message.body.decode())
        adapter.acknowledge(batch)
    assert stored == expected


def test_a_fifo_queue_takes_the_same_message_once_and_a_retry_of_it_again(queue, reader):
    name = queue(".fifo")
    adapter = reader(name)
    first = OutgoingMessage(b"1", name, (), "g", properties={"MessageDeduplicationId": "d-1"})
    retry = OutgoingMessage(
        b"1", name, (("eventhub-retry-of", "7"), ("eventhub-attempt", "2")), "g", properties=first.properties
    )
    adapter.publish([first, first])
    adapter.publish([retry])
    adapter.publish([retry])
    assert len(poll_all(adapter, 3, 2.0)) == 2


# -- Visibility ---------------------------------------------------------------------------------------


def with_visibility(adapter, visibility_timeout_s):
    """The same adapter with a shorter timeout than a config may have."""
    adapter._config = msgspec.structs.replace(adapter._config, visibility_timeout_s=visibility_timeout_s)
    return adapter


def test_what_is_in_work_stays_hidden_however_long_it_takes_polled_or_not(client, queue, reader):
    name = queue()
    send(client, name, *(str(n) for n in range(15)))
    slow = with_visibility(reader(name), 2)
    got = slow.poll(5, 5)
    wait_for(lambda: counts(client, name) == (0, 15))  # its receivers hold them all, polled or not
    other = reader(name)
    for _ in range(5):
        assert other.poll(10, 1.0) == []
    got += poll_all(slow, 10, acknowledge=False)
    slow.acknowledge(got)
    assert sorted(map(int, bodies(got))) == list(range(15))
    assert {message.delivery_count for message in got} == {1}
    assert counts(client, name) == (0, 0)


def test_what_a_reader_held_that_is_gone_comes_again_after_the_visibility_timeout(client, queue, reader):
    name = queue()
    send(client, name, "1")
    gone = with_visibility(reader(name), 2)
    assert len(gone.poll(10, 5)) == 1
    gone._receiving._ending.set()  # as a killed process: nobody extends, nobody gives back
    gone._receiving = None
    began = time.monotonic()
    [again] = poll_all(reader(name), 1, 30)
    assert time.monotonic() - began > 1.0
    assert again.delivery_count == 2


def test_a_copy_of_what_is_in_work_is_not_delivered_beside_it_and_its_receipt_counts(client, queue, reader):
    name = queue()
    send(client, name, "1")
    adapter = with_visibility(reader(name), 2)
    adapter._receiving = adapter._start_receiving()
    [message] = adapter.poll(10, 5)
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    # Somebody makes it visible, as when our extensions do not get through.
    held = adapter._receiving.queues[0].held[message.offset]
    before = held.receipt
    client.change_message_visibility(QueueUrl=url, ReceiptHandle=before, VisibilityTimeout=0)
    wait_for(lambda: held.receipt != before)
    assert adapter.poll(10, 0.5) == []
    adapter.acknowledge([message])
    assert counts(client, name) == (0, 0)


# -- What waits ---------------------------------------------------------------------------------------


def test_lag_counts_what_waits_and_what_is_in_flight_and_knows_the_age_of_what_it_holds(
    client, queue, reader
):
    name, idle = queue(), queue()
    stranger = reader(name, idle)
    lags = {lag.topic: lag for lag in stranger.lag()}
    assert (lags[idle].messages, lags[idle].pending, lags[idle].oldest_age) == (0, 0, timedelta())
    send(client, name, "1", "2", "3")
    send(client, name, "later", DelaySeconds=60)
    [waiting] = [lag for lag in stranger.lag() if lag.topic == name]
    assert (waiting.messages, waiting.pending, waiting.oldest_age) == (4, 0, None)
    adapter = reader(name)
    got = poll_all(adapter, 3, acknowledge=False)
    [held] = adapter.lag()
    assert (held.messages, held.pending) == (1, 3)
    assert timedelta() < held.oldest_age < timedelta(seconds=10)
    adapter.acknowledge(got)
    [done] = adapter.lag()
    assert (done.messages, done.pending, done.oldest_age) == (1, 0, None)


def test_of_several_queues_the_lag_of_one_that_is_not_there_is_unknown(client, queue, reader):
    name = queue()
    send(client, name, "1")
    lags = {lag.topic: lag.messages for lag in reader(name, "nowhere-to-be-found").lag()}
    assert lags == {name: 1, "nowhere-to-be-found": None}


def test_peeking_hides_nothing_from_readers_but_is_counted(client, queue, reader):
    name, other = queue(), queue(".fifo")
    adapter = reader(name, other)
    adapter.publish([OutgoingMessage(b"%d" % n, topic, (), "g") for n in range(4) for topic in (name, other)])
    peeked = adapter.peek(8, 5.0)
    assert sorted((message.topic, message.body) for message in peeked) == sorted(
        (topic, b"%d" % n) for n in range(4) for topic in (name, other)
    )
    assert adapter.COST_OF_PEEKING
    assert counts(client, name) == counts(client, other) == (4, 0)
    taken = poll_all(adapter, 8)
    assert {message.delivery_count for message in taken} == {2}
    assert bodies(message for message in taken if message.topic == other) == ["0", "1", "2", "3"]


def test_the_place_of_a_message_tells_whether_the_queue_is_there_and_what_waits(client, queue, reader):
    name = queue()
    send(client, name, "1")
    adapter = reader(name)
    place = adapter.place_of(OutgoingMessage(b"2", name))
    assert (place.exists, place.readers, place.note) == (True, None, "Messages that wait there: 1.")
    gone = adapter.place_of(OutgoingMessage(b"2", "nowhere-to-be-found"))
    assert gone.exists is False
    assert "no queue 'nowhere-to-be-found'" in gone.note
