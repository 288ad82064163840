"""What Kafka's client hands out as EventHub's messages. This runs for every message, so it does as little as it can."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from eventhub.events.cloudevents import binary_prefix
from eventhub.events.message import Message, lower_headers
from eventhub.events.tombstones import TOMBSTONE
from eventhub.events.wire_text import to_text

# A topic and one of its partitions.
Partition = tuple[str, int]


class Taken(msgspec.Struct):
    """What came of one look into the client's queue."""

    messages: list[Message] = []
    size_bytes: int = 0
    # For each partition, the offset after the last message that is among `messages`.
    handed_out: dict[Partition, int] = {}
    # For each partition, the offset after the last message that was seen, whether or not it is among them.
    seen: dict[Partition, int] = {}
    # What are no messages: the client's errors and the ends of partitions.
    others: list[Any] = []


class Reading:
    """Makes messages of one source."""

    def __init__(self, source: str, *, skip_tombstones: bool) -> None:
        self._source = source
        self._skip_tombstones = skip_tombstones

    def take(self, raws: Iterable[Any]) -> Taken:
        """`raws` as the client's `consume` returns them."""
        taken = Taken()
        messages, size = taken.messages, 0
        topic, partition, origin, offset, handed_out = "", -1, "", 0, -1
        last_ms, last_time, at = -1, None, "@-1"
        skip_tombstones, append = self._skip_tombstones, messages.append
        # Nobody changes a message, so all can share it: the garbage collector runs for every few hundred new ones.
        nothing: dict[str, str] = {}
        for raw in raws:
            if raw.error() is not None:
                taken.others.append(raw)
                continue
            # Messages of one partition come in long runs.
            if raw.partition() != partition or raw.topic() != topic:
                _note(taken, (topic, partition), offset, handed_out)
                topic, partition, handed_out = raw.topic(), raw.partition(), -1
                origin = f"kafka:{self._source}/{topic}/{partition}/"
            offset = raw.offset()
            body, key, pairs = raw.value(), raw.key(), raw.headers()
            kind, ms = raw.timestamp()
            if ms != last_ms:
                last_ms, last_time = ms, _time(ms) if kind else None
                # It tells messages of a topic from those of its namesake that was deleted.
                at = f"@{ms}"
            headers, raw_headers = lower_headers(_texts(pairs)) if pairs else (nothing, ())
            properties = nothing
            if body is None:
                if skip_tombstones and not binary_prefix(headers):
                    continue
                body, properties = b"", {TOMBSTONE: "true"}
            size += len(body)
            handed_out = offset
            number = str(offset)
            append(
                Message(
                    body,
                    topic,
                    number,
                    origin + number + at,
                    headers,
                    None if key is None else to_text(key),
                    partition,
                    last_time,
                    None,
                    raw_headers,
                    properties,
                )
            )
        _note(taken, (topic, partition), offset, handed_out)
        taken.size_bytes = size
        return taken


def _note(taken: Taken, place: Partition, offset: int, handed_out: int) -> None:
    if place[1] >= 0:
        taken.seen[place] = offset + 1
        if handed_out >= 0:
            taken.handed_out[place] = handed_out + 1


def _texts(pairs: list[tuple[str, bytes | None]]) -> list[tuple[str, str]]:
    return [(name, to_text(value or b"")) for name, value in pairs]


def _time(ms: int) -> datetime | None:
    """A timestamp of Kafka, which producers may set to anything; None for one that is no time."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC) if ms >= 0 else None
    except (OverflowError, ValueError, OSError):
        return None
