"""A message that died, before it is written down."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from dlq.fingerprint import Fingerprint, fingerprint
from dlq.models import Reason
from dlq.rules import Fields, fields
from dlq.text import indexable
from eventhub.brokers.models import Source
from eventhub.events.envelope import Event
from eventhub.events.message import Message


class NewLetter(msgspec.Struct, frozen=True):
    """A message that died, and why."""

    message: Message
    reason: Reason
    error_class: str
    error_message: str
    # The event in it, as far as it could be read.
    event: Event | None = None
    # The service or consumer group that failed on it; empty when EventHub itself did.
    failed_in: str = ""
    stack: str = ""
    attempts: int = 1
    # Where a retry publishes to: None is the message's own topic, "" says that it is not known.
    topic: str | None = None
    # With another topic than the message's: the partition there, and what of the message's properties is other there.
    partition: int | None = None
    properties: Mapping[str, str] = {}
    failed_at: datetime | None = None
    # What `dlq.preparing` worked out: the second is its line for COPY, but for what is only known when it is written.
    fingerprint: Fingerprint | None = None
    line: str | None = None

    @property
    def event_id(self) -> str | None:
        """The event's id, unless it was derived from a place in a dead-letter queue, which names nothing else."""
        if self.event is None or (self.reason == Reason.SERVICE and not self.event.has_producer_id):
            return None
        return indexable(self.event.event_id)

    @property
    def fields(self) -> Fields:
        """What it can be told apart by in a rule."""
        return fields(self._plain, lambda: self.event.data if self.event else None)

    def _plain(self, field: str) -> str | None:
        event = self.event
        match field:
            case "event_type":
                return event.event_type if event else None
            case "event_version":
                return event.event_version if event else None
            case "event_source":
                return event.source if event else None
            case "topic":
                return self.message.topic if self.topic is None else self.topic
            case "key":
                return self.message.key
            case _:
                return {"failed_in": self.failed_in, "error_class": self.error_class}.get(field)


def fingerprint_of(source: Source, letter: NewLetter) -> Fingerprint:
    """The fingerprint of the group that `letter` belongs to."""
    if letter.fingerprint is not None:
        return letter.fingerprint
    return fingerprint(
        origin=f"{letter.reason}:{letter.failed_in or source.name}",
        event_type=letter.event.event_type if letter.event else "",
        error_class=letter.error_class,
        message=letter.error_message,
        stack=letter.stack,
    )
