"""The shop's events: what its services say to one another, and the two envelopes in which they say it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

CLOUDEVENTS = "application/cloudevents+json"


class Unreadable(ValueError):
    """The message is no event of this shop. Services leave it alone; EventHub keeps it as a dead letter."""


class Speech(StrEnum):
    """The envelope that a service publishes in. Every service reads both."""

    NATIVE = "native"
    CLOUDEVENTS = "cloudevents"


class Draft(msgspec.Struct, frozen=True):
    """What a handler wants to tell: the rest of the envelope is filled in when the event is published."""

    event_type: str
    data: dict[str, Any]
    # The aggregate whose history this event belongs to, and its number in that history (from 1).
    stream: str | None = None
    stream_version: int | None = None
    event_version: str = "1"


class ShopEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the shop, whatever envelope it travels in."""

    event_id: str
    event_type: str
    at: datetime
    data: dict[str, Any]
    # The service that published it.
    service: str
    # Empty where the service forgets it.
    event_version: str = "1"
    correlation_id: str | None = None
    causation_id: str | None = None
    stream: str | None = None
    stream_version: int | None = None
    # How often the reading service was handed this event, and whether EventHub sent it again.
    attempt: int = 1
    is_retry: bool = False


def first_event(draft: Draft, *, service: str, at: datetime, correlation_id: str | None) -> ShopEvent:
    """The event that starts a trace: nothing caused it."""
    return ShopEvent(
        event_id=str(uuid.uuid4()),
        event_type=draft.event_type,
        event_version=draft.event_version,
        at=at,
        data=draft.data,
        service=service,
        correlation_id=correlation_id,
        stream=draft.stream,
        stream_version=draft.stream_version,
    )


def follow_up(cause: ShopEvent, draft: Draft, *, service: str, at: datetime) -> ShopEvent:
    """The event that `service` publishes because of `cause`: same correlation id, caused by its event id."""
    event = first_event(draft, service=service, at=at, correlation_id=cause.correlation_id)
    return msgspec.structs.replace(event, causation_id=cause.event_id)


def native(event: ShopEvent) -> dict[str, Any]:
    """EventHub's own envelope, as a JSON object."""
    metadata: dict[str, Any] = {"source": event.service}
    for name in ("correlation_id", "causation_id", "stream", "stream_version"):
        if (value := getattr(event, name)) is not None:
            metadata[name] = value
    version = {"event_version": event.event_version} if event.event_version else {}
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        **version,
        "timestamp": _instant(event.at),
        "data": event.data,
        "metadata": metadata,
    }


def cloud_event(event: ShopEvent) -> dict[str, Any]:
    """The same as a CloudEvent 1.0 in structured mode, with extensions for what CloudEvents has no attribute for."""
    attributes = {
        "specversion": "1.0",
        "id": event.event_id,
        "type": event.event_type,
        "source": event.service,
        "time": _instant(event.at),
        "datacontenttype": "application/json",
        "subject": event.stream,
        "sequence": None if event.stream_version is None else str(event.stream_version),
        "eventversion": event.event_version,
        "correlationid": event.correlation_id,
        "causationid": event.causation_id,
        "data": event.data,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def encode(event: ShopEvent, speech: Speech) -> tuple[bytes, dict[str, str]]:
    """The message body and its headers."""
    if speech is Speech.CLOUDEVENTS:
        return msgspec.json.encode(cloud_event(event)), {"content-type": CLOUDEVENTS}
    return msgspec.json.encode(native(event)), {}


class _Metadata(msgspec.Struct):
    source: str = ""
    correlation_id: str | None = None
    causation_id: str | None = None
    stream: str | None = None
    stream_version: int | None = None


class _Native(msgspec.Struct):
    event_id: str
    event_type: str
    timestamp: datetime
    data: dict[str, Any]
    event_version: str = "1"
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _CloudEvent(msgspec.Struct):
    id: str
    type: str
    source: str
    time: datetime
    data: dict[str, Any]
    eventversion: str = "1"
    correlationid: str | None = None
    causationid: str | None = None
    subject: str | None = None
    sequence: str | None = None


_read_native = msgspec.json.Decoder(_Native).decode
_read_cloud_event = msgspec.json.Decoder(_CloudEvent).decode


def read(body: bytes, headers: Mapping[str, str]) -> ShopEvent:
    """The event in a message, in either envelope. Raises Unreadable."""
    try:
        if headers.get("content-type", "").startswith(CLOUDEVENTS):
            return _from_cloud_event(_read_cloud_event(body))
        return _from_native(_read_native(body))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def _from_native(envelope: _Native) -> ShopEvent:
    metadata = envelope.metadata
    return ShopEvent(
        event_id=envelope.event_id,
        event_type=envelope.event_type,
        event_version=envelope.event_version,
        at=envelope.timestamp,
        data=envelope.data,
        service=metadata.source,
        correlation_id=metadata.correlation_id,
        causation_id=metadata.causation_id,
        stream=metadata.stream,
        stream_version=metadata.stream_version,
    )


def _from_cloud_event(envelope: _CloudEvent) -> ShopEvent:
    return ShopEvent(
        event_id=envelope.id,
        event_type=envelope.type,
        event_version=envelope.eventversion,
        at=envelope.time,
        data=envelope.data,
        service=envelope.source,
        correlation_id=envelope.correlationid,
        causation_id=envelope.causationid,
        stream=envelope.subject,
        stream_version=int(envelope.sequence) if envelope.sequence else None,
    )


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
