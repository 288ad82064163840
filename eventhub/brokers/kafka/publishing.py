"""Publishing to Kafka: many messages under way at once, each confirmed by all in-sync replicas before it counts."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic, sleep
from typing import Any

from confluent_kafka import KafkaError, Producer

from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.kafka.client import NO_SUCH_TOPIC, Trouble, client_settings, explain, make
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.events.message import OutgoingMessage
from eventhub.events.tombstones import TOMBSTONE
from eventhub.events.wire_text import to_bytes

PROMISES: dict[str, Any] = {"acks": "all", "enable.idempotence": True}
DEFAULTS: dict[str, Any] = {
    "linger.ms": 5,
    # As Kafka's own clients choose a partition by the key, so that a key stays where it was.
    "partitioner": "murmur2_random",
    # How long a message may wait for its confirmation.
    "message.timeout.ms": 20_000,
    # The broker decides what is too large.
    "message.max.bytes": 100_000_000,
}
# Topics are asked for again after this.
KNOWN_FOR_S = 30.0
# A topic that was made a moment ago is not known to every broker at once.
LOOK_AGAIN_AFTER_S = 0.5
# With these the message is surely not in the topic; with any other it may be.
REFUSALS = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INVALID_RECORD,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_MSG,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._INVALID_ARG,
    *NO_SUCH_TOPIC,
}


class Publisher:
    """One producer. Messages with the same key stay in order."""

    def __init__(self, config: KafkaConfig, consumer: str, cluster: Cluster) -> None:
        self._config = config
        self._cluster = cluster
        self._trouble = Trouble(config.bootstrap_servers)
        self._producer: Any = make(
            Producer,
            {
                **DEFAULTS,
                **client_settings(config, f"eventhub {consumer}"),
                **PROMISES,
                "error_cb": self._trouble.note,
            },
        )
        self._partitions: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._known_until = 0.0

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """See Adapter.publish."""
        self._look_at_topics({message.topic for message in messages})
        reasons: dict[int, str] = {}
        failures: dict[int, KafkaError] = {}
        for number, message in enumerate(messages):
            if reason := self._reason_against(message):
                reasons[number] = reason
            else:
                self._produce(message, partial(_note, failures, number))
        self._wait_for_confirmations()
        if not failures:
            self._trouble.is_over()
        for number, error in failures.items():
            topic = messages[number].topic
            if error.code() not in REFUSALS:
                raise BrokerError(
                    f"Kafka did not confirm {len(failures):,} of {len(messages):,} messages; the first was for the "
                    f"topic {topic!r}. {self._trouble.words(error)}"
                )
            reasons[number] = explain(error, topic=topic)
        if reasons:
            raise Refused(dict(sorted(reasons.items())))

    def close(self) -> None:
        """Let go of the connections; nothing is under way between two calls of `publish`."""
        self._producer.purge()

    def _look_at_topics(self, names: Iterable[str]) -> None:
        # A producer would make a topic that is missing where brokers allow it, and wait for half a minute elsewhere.
        if monotonic() > self._known_until:
            self._partitions, self._problems = {}, {}
            self._known_until = monotonic() + KNOWN_FOR_S
        if unknown := [name for name in names if name not in self._partitions]:
            topics = self._cluster.topics(unknown)
            if topics.problems:
                sleep(LOOK_AGAIN_AFTER_S)
                topics = self._cluster.topics(unknown)
            self._partitions |= {name: len(partitions) for name, partitions in topics.partitions.items()}
            self._problems = topics.problems

    def _reason_against(self, message: OutgoingMessage) -> str | None:
        if problem := self._problems.get(message.topic):
            return problem
        count = self._partitions[message.topic]
        if message.partition is not None and not 0 <= message.partition < count:
            return f"The topic {message.topic!r} has no partition {message.partition}: it has {count:,}."
        return None

    def _produce(
        self, message: OutgoingMessage, on_delivery: Callable[[KafkaError | None, Any], None]
    ) -> None:
        arguments: dict[str, Any] = {
            "value": None if TOMBSTONE in message.properties else message.body,
            "key": None if message.key is None else to_bytes(message.key),
            "headers": [(name, to_bytes(value)) for name, value in message.headers],
            "on_delivery": on_delivery,
        }
        if message.partition is not None:
            arguments["partition"] = message.partition
        while True:
            try:
                self._producer.produce(message.topic, **arguments)
            except BufferError:  # as much is under way as the client holds: wait for some confirmations
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _wait_for_confirmations(self) -> None:
        while self._producer.flush(0.5):
            if self._trouble.fatal:
                self._producer.purge()


def _note(failures: dict[int, KafkaError], number: int, error: KafkaError | None, _: Any) -> None:
    if error is not None:
        failures[number] = error
