"""The event that a message is, told by a framework's headers: its body is no event by itself."""

from datetime import datetime

import msgspec
from msgspec import Raw

from eventhub.events import checks
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message

_decode_raw = msgspec.json.Decoder(Raw).decode


def event_of(
    message: Message,
    *,
    event_id: str,
    event_type: str,
    source: str = "",
    correlation_id: str = "",
    causation_id: str = "",
    occurred_at: datetime | None = None,
    body: bytes | None = None,
) -> Event | None:
    """The event with these fields and `body` (the message's, when left out) as its data, where that is JSON.

    None when it has no type or no time, or a field that cannot be one. Never raises.
    """
    at = occurred_at or message.timestamp
    if not event_type or at is None:
        return None
    try:
        return Event(
            event_id=checks.field("event id", event_id) or message.origin_key,
            event_type=checks.required("event type", event_type),
            occurred_at=at,
            data=_json(message.body if body is None else body),
            source=checks.field("source", source),
            correlation_id=checks.field("correlation id", correlation_id),
            causation_id=checks.field("causation id", causation_id),
            has_producer_id=bool(event_id),
            has_producer_time=occurred_at is not None,
        )
    except Undecodable:
        return None


def _json(body: bytes) -> str:
    try:
        text = body.decode()
        _decode_raw(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return "null"
    return text
