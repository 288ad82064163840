"""CloudEvents 1.0: structured (the whole event is a JSON object) and binary (attributes are message headers).

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its JSON, HTTP, Kafka and AMQP bindings.
"""

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from eventhub.events import checks, correlation, media
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message
from eventhub.events.wire_text import to_bytes

FORMATS = "application/cloudevents"
STRUCTURED = f"{FORMATS}+json"
BATCH = f"{FORMATS}-batch+json"
# How the attribute names are marked in the headers of HTTP, Kafka and AMQP (two spellings).
HTTP_PREFIX = "ce-"
AMQP_PREFIXES = ("cloudevents:", "cloudevents_")
BINARY_PREFIXES = (HTTP_PREFIX, "ce_", *AMQP_PREFIXES)
_MARKS = tuple((f"{prefix}specversion", prefix) for prefix in BINARY_PREFIXES)
# HTTP's quoted strings (RFC 7230, 3.2.6), which older senders may use, and what is escaped in them.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def binary_prefix(headers: Mapping[str, str]) -> str | None:
    """The prefix that marks these headers (names in lower case) as a binary-mode CloudEvent, else None.

    A structured event may carry the same headers; its content type tells.
    """
    for mark, prefix in _MARKS:
        if mark in headers:
            return None if event_format(headers) else prefix
    return None


def event_format(headers: Mapping[str, str]) -> str | None:
    """The media type of the event format when these headers say that the event is structured, else None."""
    media_type, _ = media.parse(headers.get("content-type"))
    return media_type if media_type.startswith(FORMATS) else None


def decode_structured(fields: dict[str, Raw], message: Message) -> Event:
    """Read a structured CloudEvent of which `fields` are the top level. Raises Undecodable."""
    attributes = {
        name: value
        for name, raw in fields.items()
        if name not in {"data", "data_base64"} and (value := _attribute(name, raw)) is not None
    }
    encoded = _attribute("data_base64", fields["data_base64"]) if "data_base64" in fields else None
    if encoded is not None:
        data = media.as_json(_from_base64(encoded), attributes.get("datacontenttype"))
    else:
        data = str(fields["data"], "utf-8") if "data" in fields else "null"
    return _event(attributes, data, message)


def decode_binary(message: Message, prefix: str) -> Event:
    """Read a CloudEvent whose attributes are the headers that begin with `prefix`. Raises Undecodable."""
    attributes = {
        name.removeprefix(prefix): _header(name, value, prefix)
        for name, value in message.headers.items()
        if name.startswith(prefix) and name != prefix
    }
    content_type = message.headers.get("content-type") or attributes.get("datacontenttype")
    if content_type:
        attributes["datacontenttype"] = content_type
    return _event(attributes, media.as_json(message.body, content_type), message)


def _header(name: str, value: str, prefix: str) -> str:
    """The attribute that a header's value is."""
    raw = to_bytes(value)
    try:
        text = raw.decode()
        if prefix == HTTP_PREFIX:
            # Percent-encoded, perhaps in quotes (HTTP binding, 3.1.3.2).
            unquoted = _QUOTED.sub(lambda quoted: _ESCAPED.sub(r"\1", quoted[1]), text.strip())
            return unquote(unquoted, errors="strict")
    except UnicodeDecodeError:
        if prefix in AMQP_PREFIXES:
            return base64.b64encode(
                raw
            ).decode()  # AMQP has bytes; as text they are Base64 (specification, 3.1)
        raise Undecodable("NotUtf8", f"The header {name} is not UTF-8.") from None
    return text


def _event(attributes: dict[str, str], data: str, message: Message) -> Event:
    checks.refuse_nul(data)
    version = attributes.get("specversion")
    if not (version or "").startswith("1."):
        raise Undecodable("UnknownVersion", f'CloudEvents specversion {version!r} is not known; send "1.0".')
    for name, value in attributes.items():
        if "\x00" in value:
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


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Undecodable("NotBase64", "data_base64 is not Base64.") from None
