"""A foreign message made into an event by its source's mapping."""

import json
import math
from typing import Any

import msgspec
from msgspec import Raw

from eventhub.events import checks, correlation
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.mapping.expressions import FAILURES, Expression, Mapping
from eventhub.events.message import Message
from eventhub.events.times import read_time

_decode = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_KINDS = {
    dict: "an object",
    list: "an array",
    bool: "true or false",
    str: "a text",
    int: "a number",
    float: "a number",
}


def apply(message: Message, mapping: Mapping) -> Event:
    """Read `message`, whose body is JSON of any form, as `mapping` says. Raises Undecodable, and nothing else.

    Where the mapping has no `data`, the whole body is the data; what else it leaves out, or finds nothing for, is
    filled in as for a native event: the id from the place in the broker, the time from the broker, the correlation
    from the headers.
    """
    text, body = _json(message.body)
    seen = _seen(message, body)
    fields = mapping.fields

    def value(name: str) -> Any:
        return _evaluate(fields[name], seen) if name in fields else None

    def text_of(name: str) -> str | None:
        return (
            checks.field(name, _as_text(fields[name], _evaluate(fields[name], seen)))
            if name in fields
            else None
        )

    event_type = text_of("event_type")
    if event_type is None:
        raise Undecodable(
            "MissingField",
            f"event_type: the mapping's expression {fields['event_type'].text!r} found nothing.",
        )
    event_id = text_of("event_id")
    producer_time = value("timestamp")
    occurred_at = message.timestamp if producer_time in (None, "") else read_time(producer_time)
    if occurred_at is None:
        raise _no_time(fields.get("timestamp"), producer_time)
    data = _data(fields.get("data"), text, seen)
    checks.refuse_nul(data)
    metadata = _metadata(mapping, value("metadata"), seen)
    checks.refuse_nul(metadata)
    return Event(
        event_id=event_id or message.origin_key,
        event_type=event_type,
        occurred_at=occurred_at,
        data=data,
        metadata=metadata,
        event_version=text_of("event_version"),
        source=text_of("source"),
        correlation_id=text_of("correlation_id")
        or checks.field("correlation id", correlation.from_message(message)),
        causation_id=text_of("causation_id"),
        stream=text_of("stream"),
        stream_version=_count(fields.get("stream_version"), value("stream_version")),
        has_producer_id=event_id is not None,
        has_producer_time=producer_time not in (None, ""),
    )


def evaluate(message: Message, mapping: Mapping) -> dict[str, tuple[Any, str]]:
    """What each expression gives for `message`, and why it gives nothing, by the names of `parse`. Never raises."""
    expressions = [*mapping.fields.values(), *mapping.metadata.values()]
    try:
        _, body = _json(message.body)
    except Undecodable as error:
        return {expression.field: (None, error.reason) for expression in expressions}
    seen = _seen(message, body)
    found: dict[str, tuple[Any, str]] = {}
    for expression in expressions:
        try:
            found[expression.field] = _evaluate(expression, seen), ""
        except Undecodable as error:
            found[expression.field] = None, error.reason.removeprefix(f"{expression.field}: ")
    return found


def _json(body: bytes) -> tuple[str, Any]:
    """The body as text and as parsed JSON."""
    if not body.strip():
        raise Undecodable("NotJson", "The body is empty.")
    try:
        text = body.decode()
        return text, _decode(text)
    except UnicodeDecodeError as error:
        raise Undecodable(
            "NotUtf8", f"The body is not UTF-8: byte {error.start:,} is 0x{body[error.start]:02x}."
        ) from None
    except msgspec.DecodeError as error:
        raise Undecodable("NotJson", f"The body is not JSON: {error}.") from None
    except RecursionError:
        raise Undecodable("TooDeep", "The JSON is nested too deeply to be read.") from None


def _seen(message: Message, body: Any) -> dict[str, Any]:
    """What expressions see; `ROOTS` lists the names."""
    return {
        "body": body,
        "headers": message.headers,
        "key": message.key,
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": message.timestamp.isoformat() if message.timestamp else None,
        "properties": message.properties,
    }


def _evaluate(expression: Expression, seen: dict[str, Any]) -> Any:
    try:
        return expression.evaluate(seen)
    except FAILURES as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise Undecodable(
            "MappingFailed",
            f"{expression.field}: the mapping's expression {expression.text!r} failed: {reason[0][:300].rstrip('.')}.",
        ) from None


def _as_text(expression: Expression, value: Any) -> str | None:
    match value:
        case None:
            return None
        case str():
            return value
        case bool():
            pass
        case int() if abs(value) < 10**40:
            return str(value)
        case float() if math.isfinite(value):
            return str(value)
    raise _wrong_type(expression, value, "a text or a number")


def _count(expression: Expression | None, value: Any) -> int | None:
    if expression is None or value in (None, ""):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(expression, value, "a whole number")
    return checks.bigint(expression.field, value)


def _data(expression: Expression | None, text: str, seen: dict[str, Any]) -> str:
    """The data as JSON text: cut out of the body as it was written where the expression is a path."""
    if expression is None:
        return text
    if expression.path is not None:
        return _cut(text, expression.path)
    return _as_json(expression, _evaluate(expression, seen))


def _cut(text: str, path: tuple[str, ...]) -> str:
    for name in path:
        if not text.lstrip().startswith("{"):
            return "null"
        found = _decode_fields(text).get(name)
        if found is None:
            return "null"
        text = str(found, "utf-8")
    return text


def _metadata(mapping: Mapping, whole: Any, seen: dict[str, Any]) -> str:
    if whole is not None and not isinstance(whole, dict):
        raise _wrong_type(mapping.fields["metadata"], whole, "an object")
    if not whole and not mapping.metadata:
        return "{}"
    found: dict[str, Any] = dict(whole or {})
    for name, expression in mapping.metadata.items():
        value = _evaluate(expression, seen)
        if value is not None:
            found[name] = value
    return _as_json(mapping.fields.get("metadata") or next(iter(mapping.metadata.values())), found)


def _as_json(expression: Expression, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        raise _wrong_type(expression, value, "something that JSON can hold") from None


def _no_time(expression: Expression | None, value: Any) -> Undecodable:
    if expression is None or value in (None, ""):
        return Undecodable("MissingField", "timestamp is missing, and the broker does not tell one either.")
    return Undecodable(
        "BadTime",
        f"timestamp: the mapping's expression {expression.text!r} gave {str(value)[:60]!r}, which is no time; it must "
        "be a text such as 2030-12-31T23:59:59Z or a count of seconds, milliseconds, microseconds or nanoseconds "
        "since 1970.",
    )


def _wrong_type(expression: Expression, value: Any, wanted: str) -> Undecodable:
    got = _KINDS.get(type(value), "something else")
    return Undecodable(
        "WrongType",
        f"{expression.field}: the mapping's expression {expression.text!r} gave {got}; it must be {wanted}.",
    )
