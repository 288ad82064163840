"""EventHub's own envelope: ``{"event_id", "event_type", "event_version", "timestamp", "data", "metadata"}``."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from eventhub.events import checks, correlation
from eventhub.events.envelope import MAX_TEXT, Event, Undecodable
from eventhub.events.message import Message

NULL = Raw(b"null")
EMPTY = Raw(b"{}")


# msgspec checks the lengths while it reads, which costs next to nothing.
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Count = Annotated[int, Meta(ge=0, le=checks.MAX_BIGINT)]


class NativeEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The envelope as it is on the wire. `data` and `metadata` stay JSON texts."""

    event_type: Text
    event_id: Text | None = None
    event_version: Text | int | None = None
    timestamp: datetime | None = None
    data: Raw = NULL
    metadata: Raw = EMPTY


class Metadata(msgspec.Struct, gc=False):
    """The fields of `metadata` that EventHub knows; what else is in it is kept as it is."""

    source: Text | None = None
    correlation_id: Text | None = None
    causation_id: Text | None = None
    stream: Text | None = None
    stream_version: Count | None = None


NO_METADATA = Metadata()
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
    metadata_text = str(native.metadata, "utf-8")
    try:
        metadata = _decode_metadata(metadata_text) or NO_METADATA
    except msgspec.ValidationError as error:
        raise checks.wrong_type(error, "metadata: ") from None
    if not native.event_type:
        raise Undecodable("MissingField", "event_type is empty.")
    # Raw control characters are not JSON; only an escape can put one into a text.
    if "\\" in text:
        checks.refuse_nul(text)
        _refuse_control_characters(native, metadata)
    correlation_id = metadata.correlation_id
    if not correlation_id and (message.headers or message.properties):
        correlation_id = checks.field("correlation id", correlation.from_message(message))
    occurred_at = native.timestamp or message.timestamp
    if occurred_at is None:
        raise Undecodable("MissingField", "timestamp is missing, and the broker does not tell one either.")
    if occurred_at.tzinfo is not UTC:
        occurred_at = checks.instant("timestamp", occurred_at)
    version = native.event_version
    return Event(
        native.event_id or message.origin_key,
        native.event_type,
        occurred_at,
        str(native.data, "utf-8"),
        metadata_text if metadata_text != "null" else "{}",
        str(version) if version not in (None, "") else None,
        metadata.source or None,
        correlation_id or None,
        metadata.causation_id or None,
        metadata.stream or None,
        metadata.stream_version,
        bool(native.event_id),
        native.timestamp is not None,
    )


def _refuse_control_characters(native: NativeEvent, metadata: Metadata) -> None:
    for struct, prefix in ((native, ""), (metadata, "metadata.")):
        for name, value in msgspec.structs.asdict(struct).items():
            if isinstance(value, str):
                checks.field(prefix + name, value)
