"""The front door for messages: which envelope is it, and what event does it hold?"""

from collections.abc import Callable, Sequence

import msgspec
from django.conf import settings
from msgspec import Raw

from eventhub.events import aws_envelopes, checks, cloudevents, compression, media, native, tombstones
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message
from eventhub.events.wire_format.framing import is_framed

# Reads JSON that is no event by itself, or raises Undecodable.
Foreign = Callable[[Message], Event]

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_raw = msgspec.json.Decoder(Raw).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode


def decode(message: Message, foreign: Foreign | None = None, max_body_bytes: int | None = None) -> Event:
    """Read the one event in `message`: native, a CloudEvent in structured or binary mode, or from EventBridge; each
    of them may have come through Amazon SNS.

    `foreign` is asked for JSON that is neither native nor a CloudEvent: an object with other fields, or no object.
    `max_body_bytes` is INGEST_MAX_BODY_BYTES for who looked it up before; that alone costs as much as some decoding.
    Raises Undecodable, and nothing else, whatever the bytes are.
    """
    if len(message.body) > (max_body_bytes or settings.INGEST_MAX_BODY_BYTES):
        refuse_large(message)
    if (message.headers or message.properties) and (packed := compression.encoding_of(message)):
        message = compression.unpacked(message, packed, max_body_bytes or settings.INGEST_MAX_BODY_BYTES)
    try:
        if message.headers and (prefix := cloudevents.binary_prefix(message.headers)):
            return cloudevents.decode_binary(message, prefix)
        if not message.body and tombstones.is_tombstone(message):
            return tombstones.decode(message)
        text = message.body.decode()
        try:
            return native.decode(text, message)
        except msgspec.ValidationError:
            # Not just the known fields with the right types: a CloudEvent, other fields as well, or a mistake.
            return _decode_object(text, message, foreign)
    except UnicodeDecodeError as error:
        _refuse_other_formats(message)
        raise Undecodable(
            "NotUtf8", f"The body is not UTF-8: byte {error.start:,} is 0x{message.body[error.start]:02x}."
        ) from None
    except msgspec.ValidationError as error:
        raise checks.wrong_type(error) from None
    except msgspec.DecodeError as error:
        _refuse_other_formats(message)
        raise Undecodable("NotJson", _not_json(message.body, error)) from None
    except RecursionError:
        raise Undecodable("TooDeep", "The JSON is nested too deeply to be read.") from None


def refuse_large(message: Message) -> None:
    """Raise Undecodable when the body is larger than what is read."""
    if len(message.body) > settings.INGEST_MAX_BODY_BYTES:
        raise Undecodable(
            "TooLarge",
            f"The body has {len(message.body):,} bytes; at most {settings.INGEST_MAX_BODY_BYTES:,} are read "
            "(INGEST_MAX_BODY_BYTES).",
        )


def split(message: Message) -> Sequence[Message]:
    """The messages in `message`: a JSON array (a CloudEvents batch, or native events) holds one in each element.

    Anything else is one message, itself. An array that is empty or cannot be read stays one message, which
    `decode` then refuses with the reason; only a CloudEvents batch may be empty, and holds none.
    """
    if packed := compression.encoding_of(message):
        try:
            message = compression.unpacked(message, packed, settings.INGEST_MAX_BODY_BYTES)
        except Undecodable:
            return [message]
    if not message.body[:64].lstrip().startswith(b"[") or len(message.body) > settings.INGEST_MAX_BODY_BYTES:
        return [message]
    if message.headers and cloudevents.binary_prefix(message.headers):
        return [message]
    try:
        elements = _decode_array(message.body.decode())
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return [message]
    if not elements:
        return [] if cloudevents.event_format(message.headers) == cloudevents.BATCH else [message]
    return [
        msgspec.structs.replace(message, body=bytes(element), origin_key=f"{message.origin_key}#{index}")
        for index, element in enumerate(elements)
    ]


def _decode_object(text: str, message: Message, foreign: Foreign | None) -> Event:
    if not text.lstrip().startswith("{"):
        _decode_raw(text)  # raises, with a better reason, when it is not JSON at all
        if foreign:
            return foreign(message)
        raise Undecodable("NotAnObject", "The body is JSON but not an object; an event is a JSON object.")
    fields = _decode_fields(text)
    if "specversion" in fields:
        return cloudevents.decode_structured(fields, message)
    if aws_envelopes.is_notification(fields):
        return _decode_published(aws_envelopes.unwrap(message), foreign)
    if foreign:
        return foreign(message)
    if aws_envelopes.is_eventbridge(fields):
        return aws_envelopes.eventbridge(fields, message)
    if "event_type" in fields:
        return native.decode_fields(fields, text, message)
    raise Undecodable(
        "NotAnEvent",
        "The JSON object has neither event_type (a native event) nor specversion (a CloudEvent). "
        f"It has: {', '.join(sorted(fields))[:200] or 'no fields'}.",
    )


def _decode_published(published: Message, foreign: Foreign | None) -> Event:
    try:
        event = decode(published, foreign)
    except Undecodable as error:
        raise Undecodable(error.kind, f"In the SNS notification: {error.reason}") from None
    return msgspec.structs.replace(event, headers=event.headers or published.header_pairs())


def _refuse_other_formats(message: Message) -> None:
    """Raise Undecodable with the better reason, where the headers say that this is a CloudEvent in another format."""
    found = cloudevents.event_format(message.headers)
    if found and not media.is_json(found):
        raise Undecodable(
            "UnknownFormat",
            f"The CloudEvent is in the format {found[:80]}, which is not read here. Send {cloudevents.STRUCTURED}, or "
            "binary mode.",
        )


def _not_json(body: bytes, error: msgspec.DecodeError) -> str:
    if not body.strip():
        return "The body is empty."
    if is_framed(body):
        return (
            f"The body is not JSON: it begins with byte 0, as in Confluent's wire format, and then names schema "
            f"{int.from_bytes(body[1:5], 'big')}. Give the source the address of the schema registry (registry_url)."
        )
    return f"The body is not JSON: {error}."
