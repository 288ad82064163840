"""EventHub's own envelope: ``{"event_id", "event_type", "event_version", "timestamp", "data", "metadata"}``."""

from datetime import datetime

import msgspec
from msgspec import Raw

from eventhub.events import checks, correlation
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message

NULL = Raw(b"null")
EMPTY = Raw(b"{}")


class NativeEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The envelope as it is on the wire. `data` and `metadata` stay JSON texts."""

    event_type: str
    event_id: str | None = None
    event_version: str | int | None = None
    timestamp: datetime | None = None
    data: Raw = NULL
    metadata: Raw = EMPTY


class Metadata(msgspec.Struct, gc=False):
    """The fields of `metadata` that EventHub knows; what else is in it is kept as it is."""

    source: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    stream: str | None = None
    stream_version: int | None = None


FIELDS = frozenset(NativeEvent.__struct_fields__)
_decode = msgspec.json.Decoder(NativeEvent).decode
_decode_metadata = msgspec.json.Decoder(Metadata | None).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw] | None).decode


def decode(text: str, message: Message) -> Event:
    """Read a native event that has no fields but the known ones. Raises msgspec.ValidationError, Undecodable."""
    return _event(_decode(text), text, message)


def decode_fields(fields: dict[str, Raw], text: str, message: Message) -> Event:
    """Read a native event of which `fields` are the top level; unknown ones move into the metadata, none is lost.

    Raises msgspec.ValidationError, Undecodable.
    """
    known = {name: value for name, value in fields.items() if name in FIELDS}
    extra = {name: value for name, value in fields.items() if name not in FIELDS}
    metadata = known.get("metadata", EMPTY)
    known["metadata"] = Raw(
        msgspec.json.encode(extra | (_decode_fields(metadata) if metadata != NULL else {}))
    )
    return _event(msgspec.convert(_decode(msgspec.json.encode(known)), NativeEvent), text, message)


def _event(native: NativeEvent, text: str, message: Message) -> Event:
    # Raw control characters are not JSON; only an escape can put one into a text.
    escaped = "\\" in text
    if escaped:
        checks.refuse_nul(text)
    metadata_text = str(native.metadata, "utf-8")
    try:
        metadata = _decode_metadata(metadata_text) or Metadata()
    except msgspec.ValidationError as error:
        raise Undecodable("WrongType", f"In metadata: {error}.") from None
    correlation_id = metadata.correlation_id
    if not correlation_id and message.headers:
        correlation_id, escaped = correlation.from_headers(message.headers), True
    version = native.event_version
    event_id = checks.field("event_id", native.event_id, may_hold_control=escaped)
    occurred_at = native.timestamp or message.timestamp
    if occurred_at is None:
        raise Undecodable("MissingField", "timestamp is missing, and the broker does not tell one either.")
    return Event(
        event_id or message.origin_key,
        checks.required("event_type", native.event_type, may_hold_control=escaped),
        checks.instant("timestamp", occurred_at),
        str(native.data, "utf-8"),
        metadata_text if metadata_text != "null" else "{}",
        checks.field("event_version", version if isinstance(version, str) else _text(version)),
        checks.field("metadata.source", metadata.source, may_hold_control=escaped),
        checks.field("metadata.correlation_id", correlation_id, may_hold_control=escaped),
        checks.field("metadata.causation_id", metadata.causation_id, may_hold_control=escaped),
        checks.field("metadata.stream", metadata.stream, may_hold_control=escaped),
        checks.bigint("metadata.stream_version", metadata.stream_version),
        event_id is not None,
        native.timestamp is not None,
    )


def _text(version: int | None) -> str | None:
    return None if version is None else str(version)
