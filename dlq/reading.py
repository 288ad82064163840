"""The event in a dead letter, read anew as its source reads it."""

from dlq.models import DeadLetter
from dlq.rules import Fields, fields
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.reading import reader_of
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message


def event_of(letter: DeadLetter) -> Event | None:
    """The event, or None when the body is none to this source. Reads `letter.body` and `letter.source`."""
    message = Message(
        body=bytes(letter.body),
        topic=letter.topic or letter.read_from,
        offset=letter.offset,
        origin_key=letter.origin_key,
        headers=letter.headers,
        key=letter.key,
        partition=letter.partition,
        timestamp=letter.first_failed_at,
        properties=letter.properties,
    )
    try:
        return reader_of(letter.source).read(message)
    except (Undecodable, BrokerError):
        return None


def fields_of(letter: DeadLetter) -> Fields:
    """What the letter can be told apart by in a rule; the body is only read for a field of the payload."""

    def data() -> str | None:
        event = event_of(letter)
        return event.data if event else None

    return fields(lambda name: getattr(letter, name), data)
