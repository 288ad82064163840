"""Messages as they would be read: by the very stages of ingest, up to where a batch would be written."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import msgspec
from django.http import HttpRequest

from dlq.body import Body, look_at
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import Source
from eventhub.brokers.reading import reader_of
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.mapping import parse
from eventhub.events.mapping.applying import evaluate
from eventhub.events.message import Message
from eventhub.events.wire_format import RegistryError
from eventhub.ingest.pipeline import Batch, Pipeline
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.showing import body_shown_to, is_hidden

Verdict = Literal["event", "warned", "letter"]
MAX_SHOWN_BYTES = 64 * 1024
MAX_VALUE_CHARS = 160


class Reading(msgspec.Struct, frozen=True):
    """What would become of one message, or of one part of one that holds several."""

    # Counted from 1; of a message that holds several, each has its number.
    number: int
    message: Message
    verdict: Verdict
    # Why it would be a dead letter, or what its schema finds; empty when nothing.
    kind: str = ""
    reason: str = ""
    event: Event | None = None

    @property
    def at(self) -> datetime | None:
        """When it happened, else when the broker took it."""
        return self.event.occurred_at if self.event else self.message.timestamp

    @property
    def place(self) -> str:
        """Where it lies at the broker."""
        partition = "" if self.message.partition is None else f"/{self.message.partition}"
        offset = f" @ {self.message.offset}" if self.message.offset else ""
        return f"{self.message.topic}{partition}{offset}"

    @property
    def body(self) -> Body:
        """What came, to be looked at."""
        return look_at(self.message.body[:MAX_SHOWN_BYTES], len(self.message.body))

    @property
    def envelope(self) -> dict[str, Any]:
        """The event's fields, as they would be stored."""
        if self.event is None:
            return {}
        fields = msgspec.structs.asdict(self.event)
        for name in ("has_producer_id", "has_producer_time"):
            fields.pop(name)
        for name in ("data", "metadata"):
            fields[name] = msgspec.json.decode(fields[name])
        fields["occurred_at"] = self.event.occurred_at.isoformat()
        return {name: value for name, value in fields.items() if value is not None}


class Value(msgspec.Struct, frozen=True):
    """What an expression gives for a message; `error` says why it gives nothing."""

    value: Any = None
    error: str = ""

    @property
    def text(self) -> str:
        """The value as JSON, cut where it is long."""
        text = json.dumps(self.value, ensure_ascii=False)
        return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"


def readings(source: Source, messages: Sequence[Message], *, is_answered: bool = False) -> list[Reading]:
    """What would become of each of `messages` in `source`, which need not be saved. Raises BrokerError.

    `is_answered`: whoever sends them is told what is wrong, and nothing becomes a dead letter.
    """
    pipeline = Pipeline(source)
    found: list[Reading] = []
    for number, message in enumerate(messages, 1):
        with _registry_errors():
            batch = pipeline.prepare([message])
        found += _read(number, message, batch, is_answered)
    return found


def shown(request: HttpRequest, row: Reading) -> Reading:
    """What of a message whoever asks may see: personal data of its event is masked in it."""
    if row.event is None or not is_hidden(request, row.event.event_type):
        return row
    body = body_shown_to(request, row.event.event_type, row.message.body, "")
    return msgspec.structs.replace(
        row, message=msgspec.structs.replace(row.message, body=body), event=fields.covered(row.event)
    )


def opened(source: Source, messages: Sequence[Message]) -> list[Message]:
    """`messages` as a mapping sees them: with JSON as their bodies where they name a schema. Raises BrokerError."""
    reader = reader_of(source)
    found: list[Message] = []
    for message in messages:
        try:
            with _registry_errors():
                found.append(reader.open(message))
        except Undecodable:
            found.append(message)
    return found


@contextmanager
def _registry_errors() -> Iterator[None]:
    """A registry that cannot be asked, told as what a person who sets up a source knows."""
    try:
        yield
    except RegistryError as error:
        raise BrokerError(str(error)) from error


def values(mapping: dict[str, Any], message: Message) -> dict[str, Value]:
    """What each expression of a mapping gives for `message`, by field. The expressions must have been checked."""
    return {
        field: Value(value, error)
        for field, (value, error) in evaluate(message, parse({"event_type": "'x'"} | mapping)).items()
        if field in mapping
    }


def _read(number: int, message: Message, batch: Batch, is_answered: bool) -> list[Reading]:
    found = [
        Reading(
            number, origin, "warned" if invalid else "event", "SchemaViolation" if invalid else "", "", event
        )
        for event, origin, invalid in zip(batch.rows.events, batch.rows.origins, batch.invalid, strict=True)
    ]
    found += [
        Reading(
            number,
            letter.message,
            "letter",
            letter.error_class,
            _refused(letter.error_message) if is_answered else letter.error_message,
            letter.event,
        )
        for letter in batch.letters
    ]
    return found


def _refused(reason: str) -> str:
    return f"{reason} Whoever sends it is told so."
