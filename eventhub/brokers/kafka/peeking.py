"""A look at the newest messages, by a client that is a member of no group and commits nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.kafka.client import Trouble, broker_error, client_settings, explain, make
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.brokers.kafka.messages import Partition, Reading
from eventhub.events.message import Message

# Kafka asks for the name of a group; nobody is ever a member of this one.
NOBODY = "eventhub-peek"
# Partitions beyond these are not looked at.
MOST_PARTITIONS = 100
CLIENT: dict[str, Any] = {
    "group.id": NOBODY,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
    "fetch.max.bytes": 16_777_216,
    "queued.max.messages.kbytes": 16_384,
}
LONG_AGO = datetime.fromtimestamp(0, UTC)


def newest(
    cluster: Cluster, config: KafkaConfig, source: str, consumer: str, count: int, timeout_s: float
) -> list[Message]:
    """Up to `count` messages of the source's topics, the newest first. Raises BrokerError."""
    topics = cluster.topics_of_the_source()
    if topics.problems and not topics.partitions:
        raise BrokerError(" ".join(topics.problems.values()))
    begin, ends = _last_stretches(cluster, topics.places, count)
    if not begin:
        return []
    trouble = Trouble(config.bootstrap_servers)
    settings = {**client_settings(config, f"eventhub {consumer}"), **CLIENT, "error_cb": trouble.note}
    client = make(Consumer, settings)
    try:
        client.assign([TopicPartition(topic, number, at) for (topic, number), at in begin.items()])
        reading = Reading(source, skip_tombstones=config.tombstones == "skip")
        found = _read_to(client, ends, reading, trouble, timeout_s)
    except KafkaException as error:
        raise broker_error(error, trouble) from error
    finally:
        client.close()
    return sorted(found, key=lambda message: message.timestamp or LONG_AGO, reverse=True)[:count]


def _last_stretches(
    cluster: Cluster, places: list[Partition], count: int
) -> tuple[dict[Partition, int], dict[Partition, int]]:
    """Where to begin in each partition that holds something, and where it ends."""
    ends, beginnings = cluster.ends(places), cluster.beginnings(places)
    held = [place for place in places if ends.get(place, 0) > beginnings.get(place, 0)][:MOST_PARTITIONS]
    # Marks of transactions and gaps of compaction take up offsets too.
    stretch = max(2, 2 * count // max(1, len(held)), count if len(held) <= count else 0) * 2
    begin = {place: max(beginnings.get(place, 0), ends[place] - stretch) for place in held}
    return begin, {place: ends[place] for place in held}


def _read_to(
    client: Any, ends: Mapping[Partition, int], reading: Reading, trouble: Trouble, timeout_s: float
) -> list[Message]:
    """What comes until every partition was read to where it ended, or the time is over."""
    deadline = monotonic() + timeout_s
    left = set(ends)
    found: list[Message] = []
    while left and monotonic() < deadline:
        taken = reading.take(client.consume(500, 0.2))
        found += taken.messages
        left -= {place for place, offset in taken.seen.items() if offset >= ends.get(place, 0)}
        for raw in taken.others:
            if raw.error().code() != KafkaError._PARTITION_EOF:
                raise BrokerError(explain(raw.error(), topic=raw.topic() or ""))
            left.discard((raw.topic(), raw.partition()))
        if trouble.is_explained and not found:
            raise BrokerError(trouble.words())
    return found
