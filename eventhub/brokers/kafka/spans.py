"""Reading parts of topics without being of a group: nobody's position moves, and no reader loses anything."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.configs.kafka import INTERNAL, KafkaConfig
from eventhub.brokers.kafka.client import Trouble, broker_error, client_settings, make
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.brokers.kafka.messages import Partition, Reading
from eventhub.events.message import Message

CHUNK = 500
BATCH_BYTES = 16_000_000
MOST_NEWEST = 100
# How long brokers may be away before that is an error.
PATIENCE_S = 10.0
READING: dict[str, Any] = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 32_768,
    "fetch.queue.backoff.ms": 5,
}
# For one message of a partition instead of all.
SIPS: dict[str, Any] = {"queued.min.messages": 1, "fetch.message.max.bytes": 16_384, "fetch.wait.max.ms": 50}

# An end of a range: an offset, a time, or None for where the partition itself begins or ends.
Point = int | datetime | None


class Span(msgspec.Struct, frozen=True):
    """The offsets from `first` up to but not including `end`. There may be no message at some of them."""

    topic: str
    partition: int
    first: int
    end: int

    @property
    def length(self) -> int:
        """How many messages there are at most."""
        return max(0, self.end - self.first)


def spans_between(
    cluster: Cluster, topic: str, start: Point = None, end: Point = None, partition: int | None = None
) -> list[Span]:
    """What lies between `start` and `end` in each partition now, or in one; nothing that is not there any more.

    Raises BrokerError.
    """
    if topic.startswith(INTERNAL):
        raise BrokerError(f"The topic {topic!r} is Kafka's own bookkeeping and holds no events.")
    found = cluster.topics([topic])
    if found.problems:
        raise BrokerError(" ".join(found.problems.values()))
    if partition is not None and partition not in found.partitions[topic]:
        count = len(found.partitions[topic])
        raise BrokerError(f"The topic {topic!r} has no partition {partition}: it has {count:,}.")
    places = [place for place in found.places if partition in (None, place[1])]
    beginnings, ends = cluster.beginnings(places), cluster.ends(places)
    if untold := [number for topic, number in places if (topic, number) not in ends]:
        raise BrokerError(
            f"Kafka does not tell where these partitions of {topic!r} end: {untold}. Have they a leader?"
        )
    first, last = (
        _offsets(cluster, places, start, beginnings, ends),
        _offsets(cluster, places, end, ends, ends),
    )
    return [
        Span(
            topic, number, max(first[topic, number], beginnings.get((topic, number), 0)), last[topic, number]
        )
        for topic, number in places
    ]


def newest(cluster: Cluster, places: Sequence[Partition], count: int) -> list[Span]:
    """The last `count` messages of each partition, of as many as can be read at once."""
    beginnings, ends = cluster.beginnings(places), cluster.ends(places)
    # Marks of transactions and gaps of compaction take up offsets, too.
    spans = [Span(*place, max(end - 2 * count, beginnings.get(place, 0)), end) for place, end in ends.items()]
    return [span for span in spans if span.length][:MOST_NEWEST]


class SpanReader:
    """Reads spans, each to its end. Not shared between threads. Raises BadConfig."""

    def __init__(
        self, config: KafkaConfig, source: str, group: str, spans: Iterable[Span], **settings: Any
    ) -> None:
        self._trouble = Trouble(config.bootstrap_servers)
        self._reading = Reading(source, skip_tombstones=config.tombstones == "skip")
        self._ends = {(span.topic, span.partition): span.end for span in spans if span.length}
        self._untouched = set(self._ends)
        self._consumer: Any = make(
            Consumer,
            {
                **client_settings(config, f"eventhub spans {source}"),
                **READING,
                **settings,
                # The client wants one; it is neither joined nor written to.
                "group.id": group,
                "error_cb": self._trouble.note,
            },
        )
        self._consumer.assign(
            [TopicPartition(span.topic, span.partition, span.first) for span in spans if span.length]
        )

    @property
    def is_done(self) -> bool:
        """Whether every span was read to its end."""
        return not self._ends

    @property
    def empty(self) -> set[Partition]:
        """The partitions that were read to the end of their span, and no message was there."""
        return self._untouched - self._ends.keys()

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Up to `max_messages` more; waits at most `timeout_s` for the first. Raises BrokerError."""
        messages: list[Message] = []
        size = 0
        try:
            while self._ends and len(messages) < max_messages and size < BATCH_BYTES:
                # The client waits for as many messages as it is asked for: so for one, then for what is there.
                count = 1 if timeout_s > 0 else min(CHUNK, max_messages - len(messages))
                raws = self._consumer.consume(count, timeout_s)
                timeout_s = 0.0
                if not raws:
                    break
                taken = self._reading.take(raws)
                size += taken.size_bytes
                messages += [
                    m
                    for m in taken.messages
                    if int(m.offset) < self._ends.get((m.topic, m.partition or 0), 0)
                ]
                self._untouched -= {(m.topic, m.partition or 0) for m in messages}
                for place, offset in taken.seen.items():
                    if offset >= self._ends.get(place, 0):
                        self.finish(place)
                    else:
                        self._untouched.discard(place)  # a tombstone that is skipped is a message, too
                for raw in taken.others:
                    self._note_other(raw, raw.error())
        except KafkaException as error:
            raise broker_error(error, self._trouble) from error
        if messages:
            self._trouble.is_over()
        elif (down_since := self._trouble.down_since) and monotonic() > down_since + PATIENCE_S:
            raise BrokerError(self._trouble.words())
        return messages

    def finish(self, place: Partition) -> None:
        """Read no more of this partition."""
        if self._ends.pop(place, None) is not None:
            self._consumer.pause([TopicPartition(*place)])

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _note_other(self, raw: Any, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self.finish((raw.topic(), raw.partition()))
        # Nothing is asked of the group, so it does not matter that it may not be used.
        elif error.code() not in (KafkaError._ALL_BROKERS_DOWN, KafkaError.GROUP_AUTHORIZATION_FAILED):
            raise KafkaException(error)


def first_times(
    config: KafkaConfig, source: str, group: str, spans: Sequence[Span], timeout_s: float
) -> dict[Partition, datetime | None]:
    """When the first message of each span was published, for as many as can be told in time.

    None where the span was read to its end and holds none: the marks of transactions and what compaction took away
    have offsets, and nobody waits for them.
    """
    times: dict[Partition, datetime | None] = {}
    reader = SpanReader(config, source, group, spans, **SIPS)
    deadline = monotonic() + timeout_s
    try:
        while not reader.is_done and (left := deadline - monotonic()) > 0:
            for message in reader.poll(len(spans), left):
                place = message.topic, message.partition or 0
                if message.timestamp and place not in times:
                    times[place] = message.timestamp
                reader.finish(place)
            times |= dict.fromkeys(reader.empty)
    finally:
        reader.close()
    return times


def _offsets(
    cluster: Cluster,
    places: Sequence[Partition],
    point: Point,
    default: Mapping[Partition, int],
    ends: Mapping[Partition, int],
) -> dict[Partition, int]:
    """Where `point` is in each partition; nothing is beyond its end."""
    if isinstance(point, datetime):
        at: Mapping[Partition, int] = cluster.at(places, int(point.timestamp() * 1000))
        at = {place: offset if offset >= 0 else ends[place] for place, offset in at.items()}
    elif point is None:
        at = default
    else:
        at = dict.fromkeys(places, point)
    return {place: min(at.get(place, 0), ends[place]) for place in places}
