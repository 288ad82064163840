"""A body of any bytes as something a person can read, with what is wrong in it marked."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

# Of a larger body only the beginning is shown; the rest is a download.
MAX_SHOWN_BYTES = 64 * 1024
MAX_JSON_BYTES = 512 * 1024
MAX_HEX_BYTES = 4 * 1024
# Text with this many marks in it is read by nobody.
MAX_BINARY_TEXT_BYTES = 8 * 1024
HEX_WIDTH = 16

View = Literal["json", "text", "hex"]
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\u202a-\u202e\u2066-\u2069]")

# What "surrogateescape" makes of bytes that are no UTF-8.
_INVALID = re.compile("([\udc80-\udcff]+)")


class Piece(msgspec.Struct, frozen=True):
    """A stretch of text; `mark` says what is wrong with it, empty when nothing is."""

    text: str
    mark: str = ""


class HexRow(msgspec.Struct, frozen=True):
    """Sixteen bytes: the offset, each byte as two digits with whether it is part of no character, and as text."""

    offset: str
    cells: list[tuple[str, bool]]
    text: str


class Body(msgspec.Struct, frozen=True):
    """What to show of a body."""

    size_bytes: int
    shown_bytes: int
    view: View
    # The views there are for it.
    views: list[View]
    value: Any = None
    pieces: list[Piece] = []
    rows: list[HexRow] = []

    @property
    def is_cut(self) -> bool:
        """Whether there is more than what is shown."""
        return self.shown_bytes < self.size_bytes


def look_at(beginning: bytes, size_bytes: int, view: str = "", broken_at: int | None = None) -> Body:
    """The body that begins with `beginning` and has `size_bytes` in all. Never raises.

    `view` is the wanted view; one that does not fit gives the best that does. `broken_at` is the byte at which a
    parser stopped, and is marked in the text.
    """
    value, is_json = _parsed(beginning) if len(beginning) == size_bytes else (None, False)
    views: list[View] = ["json", "text", "hex"] if is_json else ["text", "hex"]
    best: View = "json" if is_json else "hex" if _is_binary(beginning[:1024]) else "text"
    chosen: View = next((known for known in views if known == view), best)
    if chosen == "json":
        return Body(size_bytes, size_bytes, chosen, views, value=value)
    if chosen == "hex":
        shown = beginning[:MAX_HEX_BYTES]
        return Body(size_bytes, len(shown), chosen, views, rows=list(hex_rows(shown)))
    shown = beginning[: MAX_BINARY_TEXT_BYTES if best == "hex" else MAX_SHOWN_BYTES]
    is_whole = len(shown) == size_bytes
    return Body(
        size_bytes, len(shown), chosen, views, pieces=list(pieces(shown, broken_at, is_whole=is_whole))
    )


def pieces(data: bytes, broken_at: int | None = None, *, is_whole: bool = True) -> Iterator[Piece]:
    """`data` as text: bytes of no character shown as ``\\xNN`` and marked, control characters by their names."""
    if broken_at is not None and 0 < broken_at <= len(data):
        yield from pieces(data[:broken_at], is_whole=False)
        if broken_at == len(data):
            yield Piece("⟨end⟩", "Here the parser wanted more, and the message ends.")
        else:
            at, *rest = list(pieces(data[broken_at : broken_at + 1])) or [Piece("")]
            yield Piece(at.text, f"Here, at byte {broken_at:,}, the parser stopped.")
            yield from rest
            yield from pieces(data[broken_at + 1 :], is_whole=is_whole)
        return
    offset = 0
    for i, part in enumerate(_INVALID.split(data.decode(errors="surrogateescape"))):
        raw = part.encode(errors="surrogateescape")
        if i % 2 == 0:
            yield from _named(part)
        elif (
            is_whole or offset + len(raw) < len(data) or len(raw) > 3
        ):  # else: a character that we cut in two
            yield Piece("".join(f"\\x{byte:02x}" for byte in raw), f"Not UTF-8, from byte {offset:,}")
        offset += len(raw)


def hex_rows(data: bytes) -> Iterator[HexRow]:
    """`data` in rows of sixteen bytes."""
    invalid = _invalid_offsets(data)
    for offset in range(0, len(data), HEX_WIDTH):
        row = data[offset : offset + HEX_WIDTH]
        yield HexRow(
            f"{offset:08x}",
            [(f"{byte:02x}", offset + i in invalid) for i, byte in enumerate(row)],
            "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row),
        )


def _named(text: str) -> Iterator[Piece]:
    start = 0
    for match in _ODD.finditer(text):
        if match.start() > start:
            yield Piece(text[start : match.start()])
        code = ord(match[0])
        shown = chr(0x2400 + code) if code < 32 else f"\\u{code:04x}"
        yield Piece(shown, "NUL" if code == 0 else f"A character that cannot be seen: U+{code:04X}")
        start = match.end()
    if start < len(text):
        yield Piece(text[start:])


def _invalid_offsets(data: bytes) -> set[int]:
    found: set[int] = set()
    offset = 0
    for i, part in enumerate(_INVALID.split(data.decode(errors="surrogateescape"))):
        length = len(part.encode(errors="surrogateescape"))
        if i % 2:
            found.update(range(offset, offset + length))
        offset += length
    return found


def _is_binary(sample: bytes) -> bool:
    """Whether more than a tenth of the sample is not text."""
    text = sample.decode(errors="replace")
    odd = text.count("\ufffd") + len(_ODD.findall(text))
    return odd * 10 > len(text)


def _parsed(data: bytes) -> tuple[Any, bool]:
    try:
        # Python's parser, for it keeps big numbers whole.
        return json.loads(data), True
    except (ValueError, RecursionError):
        return None, False
