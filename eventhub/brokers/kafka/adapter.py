"""Apache Kafka: topics by name or by pattern, read as one consumer group shared by all workers.

A message's properties: ``tombstone`` where it came without a value.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from eventhub.brokers.adapter import BrokerError, Lag, Place
from eventhub.brokers.config import KafkaConfig, read_config
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.brokers.kafka.group import Member
from eventhub.brokers.kafka.lag import everything, lags
from eventhub.brokers.kafka.publishing import Publisher
from eventhub.brokers.kafka.spans import SpanReader, newest
from eventhub.events.message import Message, OutgoingMessage

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def group_of(config: KafkaConfig, source: "Source") -> str:
    """The consumer group that reads `source`."""
    return config.group or f"eventhub.{source.name}"


class Kafka:
    """One reader of the topics of a Source, and what else is to be done with them. Delivery is at least once."""

    def __init__(self, source: "Source", consumer: str) -> None:
        self._config = read_config(source, KafkaConfig)
        self._source = source
        self._consumer = consumer
        self._group = group_of(self._config, source)
        self._settle: Callable[[], None] = lambda: None
        # Each is made when it is needed: who only publishes does not join the group.
        self._member: Member | None = None
        self._cluster: Cluster | None = None
        self._publisher: Publisher | None = None

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """See Adapter.poll."""
        if self._member is None:
            self._member = Member(self._config, self._source.name, self._group, self._consumer)
            self._member.before_handover(self._settle)
        return self._member.poll(max_messages, timeout_s)

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """See Adapter.acknowledge."""
        if self._member is not None:
            self._member.acknowledge(batch)

    def before_handover(self, settle: Callable[[], None]) -> None:
        """See HandsOver."""
        self._settle = settle
        if self._member is not None:
            self._member.before_handover(settle)

    def problems(self) -> list[str]:
        """See TellsProblems."""
        return self._member.problems() if self._member else []

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """See Adapter.publish. Keys, partitions and headers are kept; a tombstone is sent as one."""
        if self._publisher is None:
            self._publisher = Publisher(self._config, self._consumer, self._ask())
        self._publisher.publish(messages)

    def lag(self) -> list[Lag]:
        """For each partition: this group, then every other group that has read some of it; see Adapter.lag."""
        return lags(self._ask(), self._config, self._source.name, self._group)

    @property
    def broker(self) -> str:
        """See WatchesAll."""
        return ",".join(sorted(part.strip() for part in self._config.bootstrap_servers.split(",")))

    def everything(self) -> list[Lag]:
        """Every group of the cluster, in each partition that it reads; see WatchesAll."""
        return everything(self._ask(), self._config, self._source.name, self._group)

    def peek(self, max_messages: int, timeout_s: float) -> list[Message]:
        """The newest of each partition, read outside of any group; see Adapter.peek."""
        deadline = monotonic() + timeout_s
        topics = self._ask().topics_of_the_source()
        if topics.problems and not topics.partitions:
            raise BrokerError(" ".join(topics.problems.values()))
        spans = newest(self._ask(), topics.places, max_messages)
        found: list[Message] = []
        reader = SpanReader(self._config, self._source.name, self._group, spans)
        try:
            while not reader.is_done and (left := deadline - monotonic()) > 0:
                found += reader.poll(max_messages * len(spans), left)
        finally:
            reader.close()
        return sorted(found, key=lambda message: message.timestamp or LONG_AGO, reverse=True)[:max_messages]

    def place_of(self, message: OutgoingMessage) -> Place:
        """Whether the topic is there and how many groups read it; see Adapter.place_of."""
        topics = self._ask().topics([message.topic])
        if problem := topics.problems.get(message.topic):
            return Place(exists=False if message.topic in topics.missing else None, note=problem)
        committed, _ = self._ask().committed(self._ask().groups(), topics.places)
        count = len(topics.partitions[message.topic])
        note = ""
        if message.partition is not None and message.partition >= count:
            note = f"It has {count} partitions, and none with the number {message.partition}."
        return Place(exists=True, readers=sum(bool(offsets) for offsets in committed.values()), note=note)

    def close(self) -> None:
        """See Adapter.close."""
        if self._member is not None:
            self._member.close()
        if self._publisher is not None:
            self._publisher.close()

    def _ask(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self._config, self._consumer)
        return self._cluster
