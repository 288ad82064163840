"""The properties of an AMQP message as text, and back."""

from struct import Struct

from eventhub.brokers.rabbitmq.headers import NotEncodable, short_text, write_headers
from eventhub.events.message import OutgoingMessage
from eventhub.events.wire_text import to_text

# In the order in which they are on the wire, with their flags: short texts but for the table and the numbers.
# https://www.rabbitmq.com/amqp-0-9-1-reference#class.basic
TEXT, TABLE, OCTET, SECONDS = "text", "table", "octet", "seconds"
PROPERTIES = (
    (0x8000, "content_type", TEXT),
    (0x4000, "content_encoding", TEXT),
    (0x2000, "headers", TABLE),
    (0x1000, "delivery_mode", OCTET),
    (0x0800, "priority", OCTET),
    (0x0400, "correlation_id", TEXT),
    (0x0200, "reply_to", TEXT),
    (0x0100, "expiration", TEXT),
    (0x0080, "message_id", TEXT),
    (0x0040, "timestamp", SECONDS),
    (0x0020, "type", TEXT),
    (0x0010, "user_id", TEXT),
    (0x0008, "app_id", TEXT),
    (0x0004, "cluster_id", TEXT),
)
# The property, ours alone, that keeps the types of headers which are not text; see `headers.Headers`.
TYPED_HEADERS = "typed_headers"
# Headers that RabbitMQ adds when it delivers: they tell of the delivery, and are not sent again.
STREAM_OFFSET = "x-stream-offset"
ADDED_BY_RABBITMQ = frozenset(("x-delivery-count", "x-acquired-count", STREAM_OFFSET))
PERSISTENT = "2"

_u16 = Struct(">H")
_u32 = Struct(">I")
_u64 = Struct(">Q")


def read_properties(raw: bytes) -> tuple[dict[str, str], bytes]:
    """The properties that are there, as text, and the header table (empty without one).

    Raises ValueError, IndexError or struct.error when they are not laid out as they should be.
    """
    flags = _u16.unpack_from(raw)[0]
    properties: dict[str, str] = {}
    table = b""
    at = 2
    for name, kind in _layout(flags):
        if kind is TEXT:
            stop = at + 1 + raw[at]
            properties[name] = to_text(raw[at + 1 : stop])
            at = stop
        elif kind is OCTET:
            properties[name] = str(raw[at])
            at += 1
        elif kind is TABLE:
            stop = at + 4 + _u32.unpack_from(raw, at)[0]
            table = raw[at + 4 : stop]
            at = stop
        else:
            properties[name] = str(_u64.unpack_from(raw, at)[0])
            at += 8
    return properties, table


_layouts: dict[int, tuple[tuple[str, str], ...]] = {}


def _layout(flags: int) -> tuple[tuple[str, str], ...]:
    layout = _layouts.get(flags)
    if layout is None:
        layout = tuple((name, kind) for flag, name, kind in PROPERTIES if flags & flag)
        _layouts[flags] = layout  # at most 2^14 of them, and few in practice
    return layout


def write_properties(message: OutgoingMessage, user: str) -> bytes:
    """Flags and properties of `message`, persistent unless it says otherwise. Raises NotEncodable.

    Its expiration is left out: what is sent again shall not vanish unseen. So is a user id other than `user`, the one
    that is signed in, because RabbitMQ refuses it.
    """
    given = {"delivery_mode": PERSISTENT, **message.properties}
    given.pop("expiration", None)
    if given.get("user_id") != user:
        given.pop("user_id", None)
    flags = 0
    parts = [b""]
    for flag, name, kind in PROPERTIES:
        if kind is TABLE:
            # The content type is a property, which the adapter tells as a header as well.
            content_type = ("content-type", given.get("content_type"))
            pairs = tuple(p for p in message.headers if p != content_type and p[0] not in ADDED_BY_RABBITMQ)
            table = write_headers(pairs, given.get(TYPED_HEADERS, ""))
            if not table:
                continue
            parts.append(_u32.pack(len(table)) + table)
        elif name not in given:
            continue
        elif kind is TEXT:
            parts.append(short_text(name, given[name]))
        else:
            parts.append(_number(name, given[name], 1 if kind is OCTET else 8))
        flags |= flag
    parts[0] = _u16.pack(flags)
    return b"".join(parts)


def _number(name: str, text: str, size: int) -> bytes:
    try:
        return int(text).to_bytes(size, "big")
    except (ValueError, OverflowError):
        raise NotEncodable(
            f"Its {name} is {text[:40]!r}; it must be a whole number of {size} bytes."
        ) from None
