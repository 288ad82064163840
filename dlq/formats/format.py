"""What a format of dead-letter headers is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from eventhub.events.envelope import Event
from eventhub.events.message import Message


class Origin(msgspec.Struct, frozen=True):
    """Where a message was before it died, which is where a retry goes; false when the headers do not say.

    A retry publishes to `topic` and `partition` with the message's own properties, in which `properties` stand over
    what the dead-letter queue's delivery said: AMQP's `exchange` and `routing_key`.
    """

    topic: str = ""
    partition: int | None = None
    properties: Mapping[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.topic)


NOWHERE = Origin()


class Death(msgspec.Struct, frozen=True):
    """What the headers of a dead-lettered message tell about its failure; what they do not tell is empty."""

    error_class: str = ""
    error_message: str = ""
    stack: str = ""
    # The service or consumer group that gave up, or the queue whose reader did.
    failed_in: str = ""
    origin: Origin = NOWHERE
    attempts: int = 1
    failed_at: datetime | None = None
    # The event in the message, as far as the format tells it: for bodies that are none by themselves.
    event: Event | None = None

    def filled_from(self, other: "Death") -> "Death":
        """This, with what it leaves empty from `other`."""
        return Death(
            error_class=self.error_class or ("" if self.error_message else other.error_class),
            error_message=self.error_message or other.error_message,
            stack=self.stack or other.stack,
            failed_in=self.failed_in or other.failed_in,
            origin=self.origin or other.origin,
            attempts=max(self.attempts, other.attempts),
            failed_at=self.failed_at or other.failed_at,
            event=self.event or other.event,
        )


class Format(Protocol):
    """One way of telling a death in headers."""

    name: str

    def recognises(self, message: Message) -> bool:
        """Whether the headers (names in lower case) or properties of `message` are of this format."""

    def read(self, message: Message) -> Death:
        """The death they tell. Never raises: what cannot be read stays empty."""

    def owns(self, header: str) -> bool:
        """Whether a header (its name in lower case) tells of the failure, and so is left off when the message is sent
        again."""


def queue_of(message: Message, queue: str) -> Origin:
    """The queue named `queue` on the broker that delivered `message`: straight into it, whatever exchanges there are.

    On AMQP that is the default exchange, whose routing keys are the names of queues.
    """
    if not queue:
        return NOWHERE
    is_amqp = "exchange" in message.properties
    return Origin(queue, properties={"exchange": "", "routing_key": queue} if is_amqp else {})
