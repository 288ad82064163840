"""AMQP header tables as text, and back without loss.

Names and text are told as ``wire_text`` tells bytes, everything else as JSON: a number is its digits, a boolean
``true`` or ``false``, a time RFC 3339, a table or an array JSON text, nothing ``null``. The types are kept beside it.

https://www.rabbitmq.com/amqp-0-9-1-errata#section_3 lists the types as RabbitMQ has them.
"""

import base64
import binascii
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple

import msgspec

from eventhub.events.message import HeaderPairs
from eventhub.events.wire_text import PREFIX, to_bytes, to_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONG_TEXT = ord("S")
# The one header of a table that is not laid out as a table should be; it holds the bytes.
UNREADABLE = "unreadable-headers"
MALFORMED = (ValueError, IndexError, StructError, RecursionError)

_length = Struct(">I")
_seconds = Struct(">Q")
_decimal = Struct(">Bi")
_numbers = {
    ord(letter): Struct(f">{code}") for letter, code in zip("bBUusIiLlfd", "bBhHhiIqqfd", strict=True)
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


class NotEncodable(Exception):
    """A message that AMQP cannot carry. The text says why."""


class Headers(NamedTuple):
    """A header table, told as text."""

    pairs: HeaderPairs
    # The entries that are not text, as they were, in Base64; empty when all are text.
    typed: str


NO_HEADERS = Headers((), "")


def read_headers(table: bytes, untyped: Collection[str] = ()) -> Headers:
    """The entries of a header table as text. The types of those named in `untyped` are not kept. Never raises."""
    pairs: list[tuple[str, str]] = []
    typed: list[bytes] = []
    try:
        for name, value, entry in _entries(table):
            pairs.append((name, value if isinstance(value, str) else _encode(value).decode()))
            if entry[1 + entry[0]] != LONG_TEXT and name not in untyped:
                typed.append(entry)
    except MALFORMED:
        return Headers(((UNREADABLE, PREFIX + base64.b64encode(table).decode()),), "")
    return Headers(tuple(pairs), base64.b64encode(b"".join(typed)).decode() if typed else "")


def write_headers(pairs: HeaderPairs, typed: str) -> bytes:
    """The table of `pairs`: with the types that `typed` keeps, where a header still says the same, else as text.

    Raises NotEncodable.
    """
    kept = _kept_entries(typed) if typed else {}
    return b"".join(kept.get(pair) or _text_entry(*pair) for pair in pairs)


def short_text(what: str, text: str) -> bytes:
    """A name, a key or a property on the wire. Raises NotEncodable when it is too long."""
    raw = to_bytes(text)
    if len(raw) > 255:
        raise NotEncodable(f"Its {what} has {len(raw)} bytes, and AMQP takes 255: {text[:40]}…")
    return bytes((len(raw),)) + raw


def instant(seconds: float) -> datetime | None:
    """The time so many seconds after 1970; None when that is beyond the year 9999."""
    try:
        return EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _text_entry(name: str, value: str) -> bytes:
    raw = to_bytes(value)
    return short_text("header's name", name) + b"S" + _length.pack(len(raw)) + raw


def _kept_entries(typed: str) -> dict[tuple[str, str], bytes]:
    try:
        entries = list(_entries(base64.b64decode(typed, validate=True)))
    except (binascii.Error, *MALFORMED) as error:
        raise NotEncodable(f"What tells the types of its headers was changed: {error}.") from error
    return {
        (name, value if isinstance(value, str) else _encode(value).decode()): entry
        for name, value, entry in entries
    }


def _entries(table: bytes) -> Iterator[tuple[str, Any, bytes]]:
    """Name, value and bytes of each entry. Raises one of MALFORMED."""
    at, end = 0, len(table)
    while at < end:
        stop = at + 1 + table[at]
        value, after = _value(table, stop)
        if after > end:
            raise ValueError("an entry is longer than its table")
        yield to_text(table[at + 1 : stop]), value, table[at:after]
        at = after


def _value(data: bytes, at: int) -> tuple[Any, int]:
    """The value at `at`, where the letter of its type is, and where the next one begins."""
    kind = data[at]
    at += 1
    if number := _numbers.get(kind):
        return number.unpack_from(data, at)[0], at + number.size
    match chr(kind):
        case "t":
            return data[at] != 0, at + 1
        case "T":
            return _time(_seconds.unpack_from(data, at)[0]), at + 8
        case "D":
            scale, digits = _decimal.unpack_from(data, at)
            return Decimal(digits).scaleb(-scale), at + 5
        case "V":
            return None, at
    stop = at + 4 + _length.unpack_from(data, at)[0]
    content = data[at + 4 : stop]
    match chr(kind):
        case "S" | "x":
            return to_text(content), stop
        case "F":
            return {name: value for name, value, _ in _entries(content)}, stop
        case "A":
            return list(_items(content)), stop
    raise ValueError(f"the type {chr(kind)!r} is not known")


def _items(array: bytes) -> Iterator[Any]:
    at = 0
    while at < len(array):
        value, at = _value(array, at)
        if at > len(array):
            raise ValueError("an item is longer than its array")
        yield value


def _time(seconds: int) -> str | int:
    """RFC 3339; the number itself where there is no such year."""
    moment = instant(seconds)
    return seconds if moment is None else moment.isoformat().replace("+00:00", "Z")
