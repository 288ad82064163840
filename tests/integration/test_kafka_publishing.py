"""Publishing to Kafka, and what is told of its topics and groups."""

import time
from datetime import timedelta

import pytest
from confluent_kafka import Consumer, TopicPartition

from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.events.message import OutgoingMessage
from tests.integration.kafka_source import KafkaSource, bodies, take

# -- Publishing ------------------------------------------------------------------------------------


def test_partition_key_and_headers_are_kept(shop):
    shop.make(partitions=4)
    reader = shop.open()
    headers = (("Trace", "x"), ("raw", "base64:AP8="), ("raw", "2"))
    reader.publish([OutgoingMessage(b"\x00", shop.topic, headers, key="base64:/wE=", partition=3)])
    [message] = take(reader, 1)
    assert (message.partition, message.key, message.header_pairs()) == (3, "base64:/wE=", headers)


def test_a_key_goes_where_kafkas_own_clients_send_it(shop):
    shop.make(partitions=12)
    reader = shop.open()
    reader.publish([OutgoingMessage(b"", shop.topic, key=key) for key in ("order-1", "order-2", "ключ")])
    # murmur2 of the key's bytes, as org.apache.kafka.common.utils.Utils computes it, modulo 12
    assert {m.key: m.partition for m in take(reader, 3)} == {
        key: (murmur2(key.encode()) & 0x7FFFFFFF) % 12 for key in ("order-1", "order-2", "ключ")
    }


def murmur2(data):
    """MurmurHash2 with Kafka's seed, from the algorithm's description."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(data)
    for at in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        value = (value * m & mask) ^ k
    rest = data[len(data) // 4 * 4 :]
    if rest:
        value = (value ^ int.from_bytes(rest, "little")) * m & mask
    value = (value ^ value >> 13) * m & mask
    return value ^ value >> 15


def test_thousands_are_published_in_a_second(shop):
    shop.make(partitions=4)
    publisher = shop.open()
    messages = [OutgoingMessage(b"x" * 400, shop.topic, key=f"k-{n % 100}") for n in range(20_000)]
    publisher.publish(messages[:100])
    started = time.monotonic()
    publisher.publish(messages)
    took = time.monotonic() - started
    print(f"{len(messages) / took:,.0f} messages/s")
    assert len(messages) / took > 4_000
    assert sum(lag.messages for lag in publisher.lag()) == 20_100


def test_what_the_broker_refuses_is_told_by_message_and_the_rest_is_published(shop):
    shop.make(partitions=2)
    publisher = shop.open()
    with pytest.raises(Refused) as refused:
        publisher.publish(
            [
                OutgoingMessage(b"1", shop.topic),
                OutgoingMessage(b"x" * 3_000_000, shop.topic),
                OutgoingMessage(b"2", shop.topic, partition=7),
                OutgoingMessage(b"3", f"{shop.name}.nowhere"),
                OutgoingMessage(b"4", shop.topic),
            ]
        )
    assert sorted(refused.value.reasons) == [1, 2, 3]
    assert "too large" in refused.value.reasons[1]
    assert "no partition 7: it has 2" in refused.value.reasons[2]
    assert "no topic" in refused.value.reasons[3]
    assert sorted(bodies(take(publisher, 2))) == [b"1", b"4"]


def test_a_broker_that_goes_away_meanwhile_leaves_no_message_taken_for_published(own_kafka):
    shop = KafkaSource(own_kafka.address)
    shop.make()
    publisher = shop.open(settings={"message.timeout.ms": 4000})
    publisher.publish([OutgoingMessage(b"1", shop.topic)])
    own_kafka.kill()
    with pytest.raises(BrokerError, match="did not confirm 1 of 1") as error:
        publisher.publish([OutgoingMessage(b"2", shop.topic)])
    assert not isinstance(error.value, Refused)
    own_kafka.start()
    publisher.publish([OutgoingMessage(b"3", shop.topic)])
    assert b"3" in bodies(take(publisher, 2))


# -- What is told ----------------------------------------------------------------------------------


def lag_of(adapter, group):
    return {lag.partition: lag for lag in adapter.lag() if lag.group == group}


def test_lag_is_told_for_each_partition_and_for_every_group(shop):
    shop.make(partitions=2)
    hour_ago = int((time.time() - 3600) * 1000)
    shop.put(*(b"%d" % n for n in range(6)), timestamp=hour_ago)
    shop.put(*(b"%d" % n for n in range(3)), partition=1)
    other = Consumer({**shop.client, "group.id": f"{shop.name}-other"})
    other.commit(offsets=[TopicPartition(shop.topic, 0, 2)], asynchronous=False)
    other.close()
    reader = shop.open()
    own = lag_of(reader, shop.group)
    assert {n: lag.messages for n, lag in own.items()} == {0: 6, 1: 3}
    assert timedelta(minutes=59) < own[0].oldest_age < timedelta(minutes=65)
    assert own[1].oldest_age < timedelta(minutes=1)
    # Where the other group has no position nothing is known, which is not zero.
    assert {n: lag.messages for n, lag in lag_of(reader, f"{shop.name}-other").items()} == {0: 4}
    reader.acknowledge(take(reader, 9))
    reader.close()
    own = lag_of(reader, shop.group)
    assert {n: (lag.messages, lag.oldest_age) for n, lag in own.items()} == dict.fromkeys(
        (0, 1), (0, timedelta(0))
    )


def test_before_anything_is_read_the_lag_is_what_will_be_read(shop):
    shop.make()
    for minute in range(10):
        shop.put(b"%d" % minute, timestamp=1_700_000_000_000 + minute * 60_000)
    waits = {
        start: lag_of(shop.open(start=start), shop.group)[0].messages for start in ("earliest", "latest")
    }
    assert waits == {"earliest": 10, "latest": 0}
    assert lag_of(shop.open(start="2023-11-14T22:18:20Z"), shop.group)[0].messages == 5


def test_lag_is_quick_with_hundreds_of_groups(shop):
    shop.make(partitions=8)
    shop.put(b"1")
    for number in range(200):
        consumer = Consumer({**shop.client, "group.id": f"{shop.name}-{number}"})
        consumer.commit(offsets=[TopicPartition(shop.topic, 0, 1)], asynchronous=False)
        consumer.close()
    reader = shop.open()
    reader.lag()
    started = time.monotonic()
    lags = reader.lag()
    took = time.monotonic() - started
    print(f"lag of {len(lags)} in {took:.2f} s")
    assert len({lag.group for lag in lags}) == 201
    assert took < 2


def test_a_place_tells_who_reads_it_and_that_a_partition_is_missing(shop):
    shop.make(partitions=2)
    shop.put(b"1")
    reader = shop.open()
    assert reader.place_of(OutgoingMessage(b"", shop.topic)).readers == 0
    reader.acknowledge(take(reader, 1))
    reader.close()
    place = reader.place_of(OutgoingMessage(b"", shop.topic, partition=5))
    assert (place.exists, place.readers) == (True, 1)
    assert "none with the number 5" in place.note
