"""Values of a payload by which its letter is found: ``data.order_id = 8412``.

Kept beside the letter as numbers, one for each path and value, so that an index over them stays small whatever the
payloads hold. What is kept is bounded: the first `MOST_VALUES` plain values, no deeper than `DEEPEST`.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

MOST_VALUES = 24
DEEPEST = 4
MOST_CHARS = 200
# A body that is no event is looked into when it is not larger than this.
MOST_BYTES = 64 * 1024
ROOT = "data"
_ASKED = re.compile(r"(?P<path>[^=\s][^=]*?)\s*={1,2}\s*(?P<value>.*)", re.DOTALL)
_INDEX = re.compile(r"\[\d*\]")


class BadAttribute(ValueError):
    """What was asked for is no path and value. The text says how to ask."""


class Attribute(msgspec.Struct, frozen=True):
    """A value of the payload that letters are looked for by."""

    path: str
    value: str

    @property
    def digests(self) -> list[int]:
        """What may stand beside a letter that has it: as a text, and as the number that it may be."""
        found = {_digest(self.path, self.value)}
        number = _number(self.value)
        return sorted(found | {_digest(self.path, number)}) if number is not None else sorted(found)


def read_attribute(text: str) -> Attribute:
    """``data.order_id = 8412`` as a path and a value. Raises BadAttribute."""
    match = _ASKED.fullmatch(text.strip())
    if not match:
        raise BadAttribute("Write a path and a value, like data.order_id = 8412 or data.items[].sku = A-7.")
    path = _INDEX.sub("[]", match["path"].strip().removeprefix("$."))
    if path != ROOT and not path.startswith((f"{ROOT}.", f"{ROOT}[")):
        path = f"{ROOT}.{path}"
    value = match["value"].strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return Attribute(path, value)


def digests_of(data: str | bytes) -> list[int] | None:
    """The numbers to keep for a payload; None when it has no values to find it by. Never raises."""
    if data in ("null", b"", ""):
        return None
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    found = {_digest(path, text) for path, text in plain_values(value)}
    return sorted(found) or None


def digests_of_body(body: bytes) -> list[int] | None:
    """The numbers to keep for a body that is no event: of its ``data`` where it has that, else of all."""
    try:
        envelope = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return digests_of(body)
    return digests_of(bytes(envelope[ROOT])) if ROOT in envelope else digests_of(body)


def plain_values(value: Any) -> Sequence[tuple[str, str]]:
    """Paths and values as texts, the first `MOST_VALUES`."""
    found: list[tuple[str, str]] = []
    _walk(ROOT, value, 0, found)
    return found


def value_at(data: str, path: str) -> str | None:
    """The first plain value at this path of a payload, as a text."""
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    return next((text for at, text in plain_values(value) if at == path), None)


def _walk(path: str, value: Any, depth: int, found: list[tuple[str, str]]) -> None:
    """Add to `found` until it holds `MOST_VALUES`."""
    if isinstance(value, dict):
        if depth < DEEPEST:
            for name, inner in value.items():
                if len(found) == MOST_VALUES:
                    return
                _walk(f"{path}.{name}", inner, depth + 1, found)
    elif isinstance(value, list):
        if depth < DEEPEST:
            for inner in value[:MOST_VALUES]:
                if len(found) == MOST_VALUES:
                    return
                _walk(f"{path}[]", inner, depth + 1, found)
    elif value is not None:
        text = value if isinstance(value, str) else _text(value)
        if len(text) <= MOST_CHARS:
            found.append((path, text))


def _text(value: str | float | bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _number(text: str) -> str | None:
    try:
        value = msgspec.json.decode(text, type=int | float)
    except ValueError:
        return None
    return _text(value)


def _digest(path: str, text: str) -> int:
    """A signed number of 64 bits."""
    named = f"{path}\x00{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(named, digest_size=8).digest(), "big", signed=True)
