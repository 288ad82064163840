"""The event in a dead letter, read anew as its source reads it."""

from dlq.models import DeadLetter
from dlq.rules import Fields, fields
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.reading import reader_of
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message


def event_of(letter: DeadLetter) -> Event | None:
    """The event, or None when the body is none to this source. Reads `letter.body` and `letter.source`."""
    try:
        return read_event(letter, bytes(letter.body), letter.headers, letter.key)
    except (Undecodable, BrokerError):
        return None


def read_event(letter: DeadLetter, body: bytes, headers: dict[str, str], key: str | None) -> Event:
    """What the letter's source would read, had it come with this body. Raises Undecodable and BrokerError."""
    return reader_of(letter.source).read(message_of(letter, body, headers, key))


def message_of(letter: DeadLetter, body: bytes, headers: dict[str, str], key: str | None) -> Message:
    """The letter's message, had it come with this body, these headers and this key."""
    return Message(
        body=body,
        topic=letter.topic or letter.read_from,
        offset=letter.offset,
        origin_key=letter.origin_key,
        headers=headers,
        raw_headers=tuple((name, value) for name, value in letter.raw_headers or ()),
        key=key,
        partition=letter.partition,
        timestamp=letter.first_failed_at,
        properties=letter.properties,
    )


def fields_of(letter: DeadLetter) -> Fields:
    """What the letter can be told apart by in a rule; the body is only read for a field of the payload."""

    def data() -> str | None:
        event = event_of(letter)
        return event.data if event else None

    return fields(lambda name: getattr(letter, name), data)
