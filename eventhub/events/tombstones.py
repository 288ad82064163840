"""Tombstones: a message without a value, which on a compacted topic says that its key is gone."""

from eventhub.events import checks
from eventhub.events.correlation import from_message
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message

# The property of a Message that came without a value: it tells it from one with an empty value.
TOMBSTONE = "tombstone"


def is_tombstone(message: Message) -> bool:
    """Whether the broker said that the message has no value."""
    return TOMBSTONE in message.properties


def decode(message: Message) -> Event:
    """The event that a tombstone is: its type names the topic, its stream is the key, it has no data.

    Raises Undecodable.
    """
    if message.timestamp is None:
        raise Undecodable(
            "MissingField", "A tombstone has no timestamp of its own, and the broker does not tell one."
        )
    return Event(
        message.origin_key,
        checks.required("type", f"{message.topic}.tombstone"),
        message.timestamp,
        correlation_id=checks.field("correlation id", from_message(message)),
        stream=checks.field("stream", message.key),
        has_producer_id=False,
        has_producer_time=False,
    )
