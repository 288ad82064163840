"""Where reading a partition begins that the group has no position for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, TopicPartition

TIMEOUT_S = 8.0


def starts(
    consumer: Consumer, partitions: Sequence[TopicPartition], everything: Sequence[TopicPartition], start: str
) -> list[TopicPartition]:
    """`partitions` with the offsets that reading begins at: the group's own, else as `start` says.

    `everything`: all partitions of the source's topics there are now. With the start "latest", a group that has no
    position in any of them begins at all their ends, and notes that at the broker. From then on, a partition without a
    position is one that was made later, and begins at its beginning, so that nothing of it is lost.
    Raises KafkaException.
    """
    known = consumer.committed(list(partitions), timeout=TIMEOUT_S)
    new = [one for one in known if one.offset < 0]
    if not new:
        return known
    found = {_place(one): one.offset for one in known}
    if start == "latest":
        if all(one.offset < 0 for one in consumer.committed(list(everything), timeout=TIMEOUT_S)):
            ends = at_times(consumer, everything, OFFSET_END)
            consumer.commit(offsets=ends, asynchronous=False)
            found |= {_place(one): one.offset for one in ends if _place(one) in found}
    elif start != "earliest":
        found |= {_place(one): one.offset for one in at_times(consumer, new, milliseconds(start))}
    return [
        TopicPartition(topic, partition, offset if _is_settled(offset) else OFFSET_BEGINNING)
        for (topic, partition), offset in found.items()
    ]


def at_times(consumer: Consumer, partitions: Sequence[TopicPartition], time: int) -> list[TopicPartition]:
    """The first offset at or after `time` (milliseconds since 1970, or OFFSET_END) in each partition.

    OFFSET_END where nothing is that new. Raises KafkaException.
    """
    asked = [TopicPartition(one.topic, one.partition, time) for one in partitions]
    return consumer.offsets_for_times(asked, timeout=TIMEOUT_S) if asked else []


def milliseconds(time: str) -> int:
    """A time in RFC 3339 as Kafka counts."""
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def _is_settled(offset: int) -> bool:
    return offset >= 0 or offset == OFFSET_END


def _place(one: Any) -> tuple[str, int]:
    return one.topic, one.partition
