"""Kafka topics for benchmarks, filled before anything is timed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


@contextmanager
def topic(bootstrap_servers: str, name: str, partitions: int, bodies: Iterable[bytes]) -> Iterator[str]:
    """A topic that holds `bodies`, spread evenly over its partitions in their order; deleted at the end."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
    try:
        fill(bootstrap_servers, name, partitions, bodies)
        yield name
    finally:
        admin.delete_topics([name])[name].result(30)


def fill(bootstrap_servers: str, name: str, partitions: int, bodies: Iterable[bytes]) -> None:
    """Put `bodies` into a topic, each confirmed by the broker. Raises AssertionError when one was not."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
        }
    )
    for number, body in enumerate(bodies):
        while True:
            try:
                producer.produce(name, body, partition=number % partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    left = producer.flush(60)
    if left:
        raise AssertionError(f"Kafka has not confirmed {left:,} messages")


def count(bootstrap_servers: str, name: str, partitions: int) -> int:
    """How many messages a topic holds that was never compacted: from the first offset of each partition to its end."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": f"{name}-count"})
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=30)
            for partition in range(partitions)
        ]
    finally:
        consumer.close()
    return sum(end[1] - end[0] for end in ends if end)
