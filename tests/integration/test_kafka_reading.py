"""What a worker reads of Kafka: which topics and partitions, from where on, and which messages."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer, TopicPartition

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.kafka import group
from eventhub.events import decoding
from eventhub.events.message import OutgoingMessage
from tests.integration.kafka_source import bodies, take, wait_until

# -- Which topics --------------------------------------------------------------------------------


def test_topics_that_fit_a_pattern_are_read_and_new_ones_found_within_seconds(shop):
    first, other = shop.make(f"{shop.name}.eu.orders"), shop.make(f"{shop.name}-not.this")
    shop.put(b"1", topic=first)
    shop.put(b"no", topic=other)
    reader = shop.open(topics=[], pattern=rf"{shop.name}\.\w+\.orders")
    assert bodies(take(reader, 1)) == [b"1"]
    shop.put(b"2", topic=shop.make(f"{shop.name}.us.orders"))
    started = time.monotonic()
    [message] = take(reader, 1)
    assert (message.body, message.topic) == (b"2", f"{shop.name}.us.orders")
    assert time.monotonic() - started < 20
    assert take(reader, 0) == []


def test_a_pattern_that_fits_everything_never_reads_kafkas_own_topics(shop):
    shop.make()
    shop.put(b"1")
    reader = shop.open(topics=[], pattern=".*")
    for _ in range(20):
        assert not [message for message in reader.poll(1000, 0.2) if message.topic.startswith("__")]
    assert not [lag for lag in reader.lag() if lag.topic.startswith("__")]


def test_a_topic_that_is_not_there_does_not_stop_the_others_is_told_and_read_once_it_is_made(shop):
    shop.make()
    shop.put(b"1")
    later = f"{shop.name}.later"
    reader = shop.open(topics=[shop.topic, later])
    assert bodies(take(reader, 1)) == [b"1"]
    wait_until(lambda: reader.poll(10, 0.1) or reader.problems())
    assert reader.problems() == [f"There is no topic {later!r} (yet). Check its name."]
    assert {lag.topic for lag in reader.lag()} == {shop.topic}
    shop.make(later)
    shop.put(b"2", topic=later)
    assert bodies(take(reader, 1)) == [b"2"]
    assert reader.problems() == []


def test_when_none_of_the_topics_is_there_that_is_an_error_that_names_them(shop):
    reader = shop.open(topics=[f"{shop.name}.a", f"{shop.name}.b"])
    with pytest.raises(BrokerError, match=r"no topic .*\.a.*no topic .*\.b"):
        take(reader, 1)
    with pytest.raises(BrokerError, match=r"no topic .*\.a.*no topic .*\.b"):
        reader.lag()


def test_partitions_that_are_added_are_read_from_their_beginning(shop):
    shop.make()
    reader = shop.open(start="latest")
    take(reader, 0)
    shop.add_partitions(3)
    wait_until(lambda: len(shop.admin.list_topics(shop.topic, timeout=10).topics[shop.topic].partitions) == 3)
    shop.put(b"early", partition=2)
    assert bodies(take(reader, 1)) == [b"early"]


# -- From where on -------------------------------------------------------------------------------


def test_a_new_group_begins_with_everything_with_what_is_new_or_at_a_time(shop):
    shop.make(partitions=2)
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for hours, body in ((-2, b"old"), (-1, b"older"), (1, b"after noon")):
        shop.put(body, timestamp=int((noon + timedelta(hours=hours)).timestamp() * 1000))
    assert len(take(shop.open(group=f"{shop.name}-all"), 3)) == 3
    assert bodies(take(shop.open(group=f"{shop.name}-time", start="2026-11-24T12:00:00Z"), 1)) == [
        b"after noon"
    ]
    latest = shop.open(group=f"{shop.name}-latest", start="latest")
    assert take(latest, 0) == []
    shop.put(b"new", partition=1)
    assert bodies(take(latest, 1)) == [b"new"]


def test_what_comes_while_nobody_reads_is_not_lost_to_a_group_that_began_with_the_latest(shop):
    shop.make()
    shop.put(b"before")
    first = shop.open(start="latest")
    assert take(first, 0) == []
    first.close()
    shop.put(b"meanwhile")
    assert bodies(take(shop.open(start="latest"), 1)) == [b"meanwhile"]


def test_messages_that_were_deleted_before_they_were_read_are_told_and_the_rest_is_read(shop):
    shop.make()
    shop.put(*(b"%d" % n for n in range(10)))
    first = shop.open()
    batch = take(first, 10)
    first.acknowledge(batch[:3])
    first.close()
    for deleted in shop.admin.delete_records([TopicPartition(shop.topic, 0, 7)]).values():
        deleted.result(20)
    again = shop.open()
    assert bodies(take(again, 3)) == [b"7", b"8", b"9"]
    [problem] = again.problems()
    assert f"Topic {shop.topic}, partition 0: the message to be read next, 3, is gone" in problem


def test_a_topic_that_was_made_anew_is_read_from_its_beginning_and_its_messages_are_others(shop):
    shop.make()
    shop.put(b"a", b"b")
    reader = shop.open()
    first = take(reader, 2)
    reader.acknowledge(first)
    shop.delete(shop.topic)
    shop.make()
    shop.put(b"a", b"c", b"d")
    second = {}
    deadline = time.monotonic() + 30
    while len(second) < 3:
        assert time.monotonic() < deadline, second
        batch = reader.poll(100, 0.2)
        reader.acknowledge(batch)
        second |= {message.origin_key: message for message in batch}
    assert sorted(bodies(second.values())) == [b"a", b"c", b"d"]
    assert not {message.origin_key for message in first} & second.keys()
    wait_until(lambda: reader.poll(10, 0.2) or shop.committed() == [3])


# -- Which messages ------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_messages_of_every_compression_are_read(shop, codec):
    shop.make()
    sent = [b"%d " % n + b"x" * 1000 for n in range(500)]
    shop.put(*sent, settings={"compression.type": codec, "linger.ms": 50})
    assert bodies(take(shop.open(), 500)) == sent


def test_a_message_says_its_partition_key_time_and_headers_as_they_came(shop):
    shop.make(partitions=3)
    headers = [("CE_Type", b"x"), ("raw", b"\x00\xff"), ("raw", b"twice"), ("empty", None)]
    shop.put(b"{}", partition=2, key=b"\xff\x01", headers=headers, timestamp=1_700_000_000_123)
    [message] = take(shop.open(), 1)
    assert (message.topic, message.partition, message.offset) == (shop.topic, 2, "0")
    assert message.origin_key == f"kafka:{shop.name}/{shop.topic}/2/0@1700000000123"
    assert message.timestamp == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert message.key == "base64:/wE="
    assert message.headers == {"ce_type": "x", "raw": "twice", "empty": ""}
    assert message.header_pairs() == (
        ("CE_Type", "x"),
        ("raw", "base64:AP8="),
        ("raw", "twice"),
        ("empty", ""),
    )


def test_a_time_that_no_calendar_has_does_not_stop_anything(shop):
    shop.make(**{"message.timestamp.after.max.ms": str(2**63 - 1)})
    for number in (2**62, 253_402_300_800_000):
        shop.put(b"odd", timestamp=number)
    assert [message.timestamp for message in take(shop.open(), 2)] == [None, None]


def test_a_message_without_value_is_the_event_that_its_key_is_gone(shop):
    shop.make(**{"cleanup.policy": "compact"})
    shop.put(b'{"event_type": "customer.changed", "timestamp": "2026-11-24T10:00:00Z"}', key=b"c-7")
    shop.put(None, key=b"c-7")
    shop.put(b"", key=b"c-8")
    _, tombstone, empty = take(shop.open(), 3)
    event = decoding.decode(tombstone)
    assert (event.event_type, event.stream, event.data) == (f"{shop.topic}.tombstone", "c-7", "null")
    assert event.event_id == tombstone.origin_key
    with pytest.raises(decoding.Undecodable, match="empty"):
        decoding.decode(empty)


def test_a_cloud_event_without_data_is_no_tombstone(shop):
    shop.make()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_type", b"customer.left"),
        ("ce_source", b"/crm"),
    ]
    shop.put(None, key=b"c-7", headers=headers)
    for config in ({"tombstones": "event"}, {"tombstones": "skip", "group": f"{shop.name}-skip"}):
        [message] = take(shop.open(**config), 1)
        assert decoding.decode(message).event_type == "customer.left"


def test_tombstones_can_be_skipped_and_are_not_read_twice(shop):
    shop.make()
    shop.put(b"1", None, b"2", None, None, key=b"k")
    reader = shop.open(tombstones="skip")
    batch = take(reader, 2)
    assert bodies(batch) == [b"1", b"2"]
    reader.acknowledge(batch)
    wait_until(lambda: reader.poll(10, 0.2) or shop.committed() == [5])


def test_a_tombstone_that_is_sent_again_is_one(shop):
    shop.make()
    shop.put(None, key=b"k")
    reader = shop.open()
    [message] = take(reader, 1)
    again = OutgoingMessage(message.body, message.topic, key=message.key, properties=message.properties)
    reader.publish([again])
    assert take(reader, 1)[0].properties == message.properties != {}


def test_messages_of_aborted_transactions_are_never_seen_and_leave_no_lag(shop):
    shop.make()
    writer = Producer({**shop.client, "transactional.id": shop.name})
    writer.init_transactions(30)
    reader = shop.open()
    for number in range(4):
        writer.begin_transaction()
        writer.produce(shop.topic, b"%d" % number)
        writer.flush()
        if number == 1:
            assert take(reader, 0) == []  # not even while it is open
        writer.abort_transaction() if number % 2 else writer.commit_transaction()
        if number % 2 == 0:
            batch = take(reader, 1)
            assert bodies(batch) == [b"%d" % number]
            reader.acknowledge(batch)
    # The last things in the log are an aborted message and two control records.
    wait_until(lambda: reader.poll(10, 0.2) or [lag.messages for lag in reader.lag()] == [0])


# -- Without harm --------------------------------------------------------------------------------


def test_messages_of_ten_megabytes_are_read_a_few_at_a_time(shop):
    shop.make(**{"max.message.bytes": "20000000"})
    for _ in range(8):
        shop.put(b"x" * 10_000_000, settings={"message.max.bytes": 20_000_000})
    reader = shop.open()
    sizes = []
    while sum(sizes) < 8:
        batch = reader.poll(5000, 5)
        reader.acknowledge(batch)
        sizes.append(len(batch))
    assert max(sizes) <= 6


def test_settings_of_the_client_are_passed_through_and_unknown_ones_named(shop):
    shop.make()
    shop.put(b"1")
    assert take(shop.open(settings={"client.rack": "a", "fetch.min.bytes": 1, "check.crcs": True}), 1)
    with pytest.raises(BrokerError, match=r"No such configuration property.*fetch\.min\.byte"):
        shop.open(settings={"fetch.min.byte": 1}, group=f"{shop.name}-2").poll(1, 0)


def test_nothing_is_taken_for_stored_that_was_not_acknowledged(shop):
    shop.make(partitions=2)
    shop.put(*(b"%d" % n for n in range(5)))
    shop.put(*(b"%d" % n for n in range(5)), partition=1)
    reader = shop.open()
    batch = take(reader, 10)
    reader.acknowledge([m for m in batch if m.partition == 0])
    reader.close()
    assert shop.committed((0, 1))[0] == 5
    assert {m.partition for m in take(shop.open(), 5)} == {1}


def test_a_look_at_the_newest_messages_takes_nothing_from_anybody(shop):
    shop.make(partitions=2)
    for number in range(20):
        shop.put(b"%d" % number, partition=number % 2, timestamp=1_700_000_000_000 + number * 1000)
    started = time.monotonic()
    looked = shop.open("look").peek(4, 5)
    assert bodies(looked) == [b"19", b"18", b"17", b"16"]
    assert time.monotonic() - started < 15
    assert (
        shop.open("look", group=f"{shop.name}-x", topics=[shop.make(f"{shop.name}.empty")]).peek(4, 5) == []
    )
    assert len(take(shop.open(), 20)) == 20


def test_a_batch_and_the_clients_queue_hold_no_more_than_they_should(shop):
    shop.make(partitions=4)
    for partition in range(4):
        shop.put(*[b"x" * 100_000] * 250, partition=partition)
    reader = shop.open()
    total = largest = 0
    while total < 1000:
        batch = reader.poll(100_000, 5)
        largest = max(largest, sum(map(len, bodies(batch))))
        total += len(batch)
        reader.acknowledge(batch)
    assert largest < group.BATCH_BYTES + group.CHUNK_BYTES * 2
