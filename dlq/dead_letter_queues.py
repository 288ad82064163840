"""Messages from another service's dead-letter queue, made into letters."""

from datetime import UTC, datetime, timedelta

from dlq.formats import read_death
from dlq.intake import NewLetter
from dlq.models import Reason
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message
from eventhub.events.reading import Reader

# A clock that is further ahead than this is not believed.
MAX_AHEAD = timedelta(minutes=5)
PLAIN = Reader()


def read(message: Message, reader: Reader = PLAIN) -> NewLetter:
    """The letter that `message`, of a source with role "dead letters", is; `reader` reads the event in it.

    What the headers do not tell stays empty; the event's fields are there when the body is an event, or the headers
    tell them. Raises RegistryError, and nothing else.
    """
    death = read_death(message)
    return NewLetter(
        message=message,
        reason=Reason.SERVICE,
        error_class=death.error_class,
        error_message=death.error_message or "The dead letter does not say what went wrong.",
        event=_event(message, reader) or death.event,
        failed_in=death.failed_in,
        stack=death.stack,
        attempts=death.attempts,
        topic=death.origin.topic,
        partition=death.origin.partition,
        properties=death.origin.properties,
        failed_at=_believable(death.failed_at) or message.timestamp,
    )


def _event(message: Message, reader: Reader) -> Event | None:
    try:
        return reader.read(message)
    except Undecodable:
        return None


def _believable(at: datetime | None) -> datetime | None:
    return at if at is None or at < datetime.now(UTC) + MAX_AHEAD else None
