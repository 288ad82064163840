"""A Kafka topic and the source that reads it, as the tests of Kafka need them."""

import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from tests.integration.under_test import make_topic
from tests.services.kafka import KafkaAddress


class KafkaSource:
    """Topics of one test and adapters that read them, closed and deleted at the end."""

    def __init__(self, kafka: KafkaAddress) -> None:
        self.kafka = kafka
        self.name = f"t-{uuid4().hex[:8]}"
        self.topic = f"{self.name}.orders"
        self.admin = AdminClient(self.client)
        self.config: dict[str, Any] = {
            "bootstrap_servers": kafka.bootstrap_servers,
            "topics": [self.topic],
        }
        self._topics: list[str] = []
        self._opened: list[Any] = []

    @property
    def client(self) -> dict[str, Any]:
        """For clients of the test's own."""
        return {"bootstrap.servers": self.kafka.bootstrap_servers, "log_level": 0}

    @property
    def group(self) -> str:
        """The group of the source where its config names none."""
        return f"eventhub.{self.name}"

    def make(self, topic: str | None = None, partitions: int = 1, **config: str) -> str:
        """Make a topic; the source's first one where no other is named."""
        name = topic or self.topic
        make_topic(self.admin, name, partitions, **config)
        self._topics.append(name)
        return name

    def delete(self, topic: str) -> None:
        """Delete a topic, and wait until it is gone."""
        self.admin.delete_topics([topic])[topic].result(20)
        wait_until(lambda: topic not in self.admin.list_topics(timeout=10).topics)

    def add_partitions(self, count: int) -> None:
        """Let the topic have `count` partitions."""
        self.admin.create_partitions([NewPartitions(self.topic, count)])[self.topic].result(20)

    def put(
        self,
        *bodies: bytes | None,
        topic: str | None = None,
        partition: int = 0,
        settings: Any = None,
        **fields: Any,
    ) -> None:
        """Publish with a client of the test's own; None is a message without a value."""
        failures: list[object] = []
        producer = Producer({**self.client, **(settings or {})})
        for body in bodies:
            producer.produce(
                topic or self.topic,
                body,
                partition=partition,
                on_delivery=lambda error, _: failures.append(error) if error else None,
                **fields,
            )
        assert producer.flush(30) == 0
        assert not failures

    def source(self, **config: Any) -> Source:
        """The source, not saved, with its config changed so."""
        return Source(name=self.name, kind=Kind.KAFKA, config=self.config | config)

    def open(self, consumer: str = "w1", **config: Any) -> Any:
        """An adapter of the source."""
        self._opened.append(open_adapter(self.source(**config), consumer))
        return self._opened[-1]

    def committed(self, partitions: Iterable[int] = (0,), topic: str | None = None) -> list[int]:
        """How far the group is, as the broker knows it."""
        consumer = Consumer({**self.client, "group.id": self.group})
        asked = [TopicPartition(topic or self.topic, number) for number in partitions]
        try:
            return [one.offset for one in consumer.committed(asked, timeout=20)]
        finally:
            consumer.close()

    def close(self) -> None:
        """Leave nothing behind."""
        for adapter in self._opened:
            adapter.close()
        there = self.admin.list_topics(timeout=20).topics
        if gone := [name for name in dict.fromkeys(self._topics) if name in there]:
            for future in self.admin.delete_topics(gone).values():
                future.result(20)


def wait_until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Until it is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.05)


def take(adapter: Any, count: int, timeout_s: float = 30.0) -> list[Message]:
    """Poll until `count` messages came; with 0, for two seconds, in which none may come."""
    taken: list[Message] = []
    deadline = time.monotonic() + (timeout_s if count else 2.0)
    while len(taken) < count or (not count and time.monotonic() < deadline):
        assert time.monotonic() < deadline, f"{len(taken)} of {count} messages came"
        taken += adapter.poll(1000, 0.5)
    assert len(taken) == count
    return taken


def bodies(messages: Iterable[Message]) -> list[bytes]:
    """What they hold."""
    return [message.body for message in messages]
