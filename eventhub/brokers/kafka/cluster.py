"""Questions to a Kafka cluster: what topics there are, where they begin and end, who reads them and how far."""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from time import monotonic
from typing import Any

import msgspec
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as UntypedSpec  # type: ignore[attr-defined]

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.configs.kafka import INTERNAL, KafkaConfig
from eventhub.brokers.kafka.client import (
    NO_SUCH_TOPIC,
    Trouble,
    broker_error,
    client_settings,
    error_of,
    explain,
    make,
)
from eventhub.brokers.kafka.messages import Partition

TIMEOUT_S = 3.5
OffsetSpec: Any = UntypedSpec


class Topics(msgspec.Struct, frozen=True):
    """What was found of the topics asked for."""

    # The numbers of each topic's partitions.
    partitions: dict[str, list[int]]
    # What is wrong with a topic, by its name, in words.
    problems: dict[str, str]
    # Those that are surely not there.
    missing: frozenset[str] = frozenset()

    @property
    def places(self) -> list[Partition]:
        """Every partition of every topic."""
        return [(topic, number) for topic, numbers in self.partitions.items() for number in numbers]


class GroupMember(msgspec.Struct, frozen=True):
    """One reader of a consumer group: its client and host in a word, and the partitions that it holds."""

    name: str
    places: frozenset[Partition]


class Cluster:
    """One client for questions. Each is answered within seconds or raises BrokerError."""

    def __init__(self, config: KafkaConfig, consumer: str) -> None:
        self._config = config
        self._trouble = Trouble(config.bootstrap_servers)
        self._pattern = re.compile(config.pattern) if config.pattern else None
        settings = client_settings(config, f"eventhub {consumer}")
        self._admin: Any = make(AdminClient, {**settings, "error_cb": self._trouble.note})

    def topics_of_the_source(self) -> Topics:
        """The topics that the config names, or that its pattern fits."""
        if self._pattern is None:
            return self.topics(self._config.topics)
        described = self._list_topics()
        found = {name: partitions for name, partitions in described.items() if self._pattern.fullmatch(name)}
        return Topics(found, {})

    def topics(self, names: Iterable[str]) -> Topics:
        """The topics called `names`. None is made by asking."""
        self._ask_anew()
        futures = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_S)
        partitions, problems, missing = {}, {}, set()
        for name, (answer, error) in self._each(futures).items():
            if error is None:
                partitions[name] = sorted(one.id for one in answer.partitions)
            else:
                problems[name] = explain(error, self._config.bootstrap_servers, topic=name)
                if error.code() in NO_SUCH_TOPIC:
                    missing.add(name)
        return Topics(partitions, problems, frozenset(missing))

    def ends(
        self, places: Sequence[Partition], isolation: Any = IsolationLevel.READ_COMMITTED
    ) -> dict[Partition, int]:
        """The offset after the last message that may be read, of each partition whose leader tells."""
        return self._offsets({place: OffsetSpec.latest() for place in places}, isolation)

    def beginnings(self, places: Sequence[Partition]) -> dict[Partition, int]:
        """The offset of the first message that is still there."""
        return self._offsets({place: OffsetSpec.earliest() for place in places})

    def at(self, places: Sequence[Partition], time_ms: int) -> dict[Partition, int]:
        """The offset of the first message at or after a time; -1 where nothing is that new."""
        return self._offsets({place: OffsetSpec.for_timestamp(time_ms) for place in places})

    def groups(self) -> list[str]:
        """The names of the consumer groups that this user may see."""
        self._ask_anew()
        answer = self._wait(self._admin.list_consumer_groups(request_timeout=TIMEOUT_S))
        return sorted(group.group_id for group in answer.valid)

    def committed(
        self, groups: Iterable[str], places: Sequence[Partition] | None
    ) -> tuple[dict[str, dict[Partition, int]], dict[str, KafkaError]]:
        """By group, the offsets that it committed in `places` (None: wherever), and where none can be told, why.

        All groups are asked about at once: the client sends one request for each, and waits for none before the next.
        """
        self._ask_anew()
        partitions = None if places is None else [TopicPartition(*place) for place in places]
        futures: dict[str, Future[Any]] = {}
        for group in groups:
            request = ConsumerGroupTopicPartitions(group, partitions)
            futures |= self._admin.list_consumer_group_offsets([request], request_timeout=TIMEOUT_S)
        found: dict[str, dict[Partition, int]] = {}
        unknown: dict[str, KafkaError] = {}
        for group, (answer, error) in self._each(futures).items():
            if error is not None:
                unknown[group] = error
            else:
                found[group] = {
                    (one.topic, one.partition): one.offset
                    for one in answer.topic_partitions
                    if one.offset >= 0 and one.error is None
                }
        return found, unknown

    def members(self, groups: Sequence[str]) -> dict[str, list[GroupMember]]:
        """By group, who is in it; one request a coordinator. A group that may not be seen is left out."""
        if not groups:
            return {}
        self._ask_anew()
        futures = self._admin.describe_consumer_groups(list(groups), request_timeout=TIMEOUT_S)
        return {
            group: [
                GroupMember(
                    f"{one.client_id} {one.host}".strip(),
                    frozenset((place.topic, place.partition) for place in one.assignment.topic_partitions),
                )
                for one in answer.members
            ]
            for group, (answer, error) in self._each(futures).items()
            if error is None
        }

    def _list_topics(self) -> dict[str, list[int]]:
        """All topics but Kafka's own."""
        self._ask_anew()
        deadline = monotonic() + TIMEOUT_S
        while True:
            try:
                topics = self._admin.list_topics(timeout=0.5).topics
            except KafkaException as error:
                self._admin.poll(0)  # so that the reason is told
                if self._trouble.is_explained or monotonic() > deadline:
                    raise broker_error(error, self._trouble) from error
            else:
                return {
                    name: sorted(topic.partitions)
                    for name, topic in topics.items()
                    if not name.startswith(INTERNAL)
                }

    def _offsets(
        self, specs: Mapping[Partition, Any], isolation: Any = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[Partition, int]:
        if not specs:
            return {}
        self._ask_anew()
        asked = {TopicPartition(*place): spec for place, spec in specs.items()}
        futures = self._admin.list_offsets(asked, isolation_level=isolation, request_timeout=TIMEOUT_S)
        return {
            (one.topic, one.partition): answer.offset
            for one, (answer, error) in self._each(futures).items()
            if error is None
        }

    def _ask_anew(self) -> None:
        self._admin.poll(0)  # what it had to say about earlier questions
        self._trouble.ask_anew()

    def _each(self, futures: Mapping[Any, "Future[Any]"]) -> dict[Any, tuple[Any, KafkaError | None]]:
        """What came of each, an answer or an error. Raises BrokerError when the cluster cannot be reached."""
        found: dict[Any, tuple[Any, KafkaError | None]] = {}
        for key, future in futures.items():
            try:
                found[key] = self._wait(future), None
            except KafkaException as error:
                found[key] = None, error_of(error)
        return found

    def _wait(self, future: "Future[Any]") -> Any:
        """The answer. Raises KafkaException for this one, BrokerError when there is no cluster that answers."""
        deadline = monotonic() + TIMEOUT_S + 0.5
        while True:
            try:
                return future.result(0.05)
            except NotYet:
                self._admin.poll(0)  # so that the reason is told
                if self._trouble.is_explained or monotonic() > deadline:
                    raise BrokerError(self._trouble.words()) from None
            except KafkaException as error:
                self._admin.poll(0)
                if error_of(error).code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT):
                    raise broker_error(error, self._trouble) from error
                raise
