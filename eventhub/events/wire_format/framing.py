"""Confluent's wire format: how a message says which schema it was written with.

Either the value begins with byte 0 and the schema's id in 4 bytes (or byte 1 and its GUID in 16), or a header says the
same and the value is the bare payload. In Protobuf the path to the message's type follows, in the same place: zig-zag
varints, a count and as many indexes, a single 0 standing for [0].
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from uuid import UUID

import msgspec

from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message
from eventhub.events.wire_text import to_bytes

BY_ID, BY_GUID = 0, 1
HEADER = "__value_schema_id"
MAX_INDEXES = 100


class Frame(msgspec.Struct, frozen=True):
    """The schema's id or GUID, and what was written with it."""

    schema: int | UUID
    payload: bytes
    # What stands behind the id in a header: where Protobuf's indexes are. None: they begin the payload.
    in_header: bytes | None = None


def frame(message: Message) -> Frame | None:
    """How `message` is framed; None when it is not in wire format. Raises Undecodable for a broken header."""
    if message.headers and (told := message.headers.get(HEADER)) is not None:
        raw = to_bytes(told)
        found = _read(raw)
        if found is None:
            raise Undecodable(
                "BadFrame",
                f"The header {HEADER} holds {raw[:24].hex(' ')}; it must be byte 1 and a schema's GUID, or byte 0 and "
                "its id.",
            )
        schema, rest = found
        return Frame(schema, message.body, rest)
    found = _read(message.body)
    return Frame(*found) if found else None


def is_framed(body: bytes) -> bool:
    """Whether `body` looks like wire format with an id in front."""
    return len(body) >= 5 and body[0] == BY_ID


def read_indexes(raw: bytes) -> tuple[tuple[int, ...], bytes]:
    """The indexes at the beginning of `raw`, and what follows. Raises Undecodable."""
    count, position = _zig_zag(raw, 0)
    if count == 0:
        return (0,), raw[position:]
    if not 0 < count <= MAX_INDEXES:
        raise Undecodable(
            "BadFrame", f"The path to the Protobuf message has {count} indexes; that cannot be."
        )
    indexes = []
    for _ in range(count):
        index, position = _zig_zag(raw, position)
        indexes.append(index)
    return tuple(indexes), raw[position:]


def _read(raw: bytes) -> tuple[int | UUID, bytes] | None:
    if len(raw) >= 5 and raw[0] == BY_ID:
        return int.from_bytes(raw[1:5], "big"), raw[5:]
    if len(raw) >= 17 and raw[0] == BY_GUID:
        return UUID(bytes=raw[1:17]), raw[17:]
    return None


def _zig_zag(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(raw) or shift > 63:
            raise Undecodable("BadFrame", "The path to the Protobuf message breaks off.")
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
