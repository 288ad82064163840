"""CloudEvents 1.0: structured (the whole event is a JSON object) and binary (attributes are message headers).

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its JSON, HTTP, Kafka and AMQP bindings.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from eventhub.events import checks, correlation
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
# How the attribute names are marked in the headers of HTTP, Kafka and AMQP (two spellings).
HTTP_PREFIX = "ce-"
BINARY_PREFIXES = (HTTP_PREFIX, "ce_", "cloudevents:", "cloudevents_")

_decode_raw = msgspec.json.Decoder(Raw).decode


def binary_prefix(headers: Mapping[str, str]) -> str | None:
    """The prefix that marks these headers (names in lower case) as a binary-mode CloudEvent, else None."""
    return next((prefix for prefix in BINARY_PREFIXES if f"{prefix}specversion" in headers), None)


def decode_structured(fields: dict[str, Raw], message: Message) -> Event:
    """Read a structured CloudEvent of which `fields` are the top level. Raises Undecodable."""
    attributes = {
        name: _attribute(name, raw) for name, raw in fields.items() if name not in {"data", "data_base64"}
    }
    is_json = _is_json(attributes.get("datacontenttype"))
    if "data_base64" in fields:
        encoded = _attribute("data_base64", fields["data_base64"]) or ""
        data = _data_from_bytes(_from_base64(encoded), is_json)
    elif "data" in fields:
        data = str(fields["data"], "utf-8")
    else:
        data = "null"
    return _event(attributes, data, message)


def decode_binary(message: Message, prefix: str) -> Event:
    """Read a CloudEvent whose attributes are the headers that begin with `prefix`. Raises Undecodable."""
    plain = unquote if prefix == HTTP_PREFIX else str  # HTTP percent-encodes header values
    attributes: dict[str, str | None] = {
        name.removeprefix(prefix): plain(value)
        for name, value in message.headers.items()
        if name.startswith(prefix)
    }
    content_type = message.headers.get("content-type")
    if content_type:
        attributes["datacontenttype"] = content_type
    return _event(attributes, _data_from_bytes(message.body, _is_json(content_type)), message)


def _event(attributes: dict[str, str | None], data: str, message: Message) -> Event:
    checks.refuse_nul(data)
    version = attributes.get("specversion")
    if not (version or "").startswith("1."):
        raise Undecodable("UnknownVersion", f'CloudEvents specversion {version!r} is not known; send "1.0".')
    for name, value in attributes.items():
        if value and "\x00" in value:
            raise Undecodable("NulCharacter", f"The attribute {name} holds a NUL character. Leave it out.")
    correlation_id = (
        attributes.get("correlationid")
        or correlation.trace_id(attributes.get("traceparent"))
        or correlation.from_message(message)
    )
    time = attributes.get("time")
    occurred_at = _time(time) if time else message.timestamp
    if occurred_at is None:
        raise Undecodable("MissingField", "time is missing, and the broker does not tell one either.")
    return Event(
        event_id=checks.required("id", attributes.get("id")),
        event_type=checks.required("type", attributes.get("type")),
        occurred_at=checks.instant("time", occurred_at),
        data=data,
        metadata=msgspec.json.encode(attributes).decode(),
        event_version=checks.field(
            "eventversion", attributes.get("eventversion") or attributes.get("dataversion")
        ),
        source=checks.required("source", attributes.get("source")),
        correlation_id=checks.field("correlationid", correlation_id),
        causation_id=checks.field("causationid", attributes.get("causationid")),
        stream=checks.field("subject", attributes.get("subject")),
        stream_version=_sequence_number(attributes.get("sequence") or ""),
        has_producer_time=bool(time),
    )


def _sequence_number(sequence: str) -> int | None:
    """The sequence where it is a whole number; the extension allows any text that sorts."""
    if not (sequence.isascii() and sequence.isdigit()):
        return None
    if len(sequence) > 30:  # Python refuses to read a number of thousands of digits
        raise Undecodable("OutOfRange", f"sequence has {len(sequence):,} digits; it must fit 64 bits.")
    return checks.bigint("sequence", int(sequence))


def _attribute(name: str, raw: Raw) -> str | None:
    """An attribute as text: the specification's types are strings, integers and booleans."""
    value: Any = msgspec.json.decode(raw)
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
    raise Undecodable("WrongType", f"The attribute {name} must be a string, an integer or a boolean.")


def _time(text: str) -> datetime:
    try:
        return msgspec.convert(text, type=datetime)
    except msgspec.ValidationError:
        raise Undecodable(
            "BadTime", f"time is {text[:60]!r}; write it as 2030-12-31T23:59:59Z (RFC 3339)."
        ) from None


def _is_json(content_type: str | None) -> bool:
    """Whether data of this media type is JSON; without one it is (CloudEvents JSON format, 3.1)."""
    if not content_type:
        return True
    media_type = content_type.split(";")[0].strip().lower()
    return media_type.endswith(("/json", "+json"))


def _data_from_bytes(body: bytes, is_json: bool) -> str:
    """JSON stays JSON; other text becomes a JSON string; other bytes become a JSON string of Base64."""
    if not body:
        return "null"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        if is_json:
            raise Undecodable("NotUtf8", "The data is declared to be JSON and is not UTF-8.") from None
        return msgspec.json.encode(base64.b64encode(body).decode()).decode()
    if is_json:
        try:
            _decode_raw(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Undecodable("NotJson", f"The data is declared to be JSON and is not: {error}.") from None
        return text
    return msgspec.json.encode(text).decode()


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Undecodable("NotBase64", "data_base64 is not Base64.") from None
