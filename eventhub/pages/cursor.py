"""Keyset paging: a cursor is the sort key of the last row shown, so a page is found by an index at any depth."""

import base64
import binascii
from typing import TypeVar

import msgspec

Key = TypeVar("Key")


class BadCursor(ValueError):
    """The cursor was not made by this list; ask for the first page by leaving it out."""


def encode_cursor(*key: str | int | float | None) -> str:
    """The cursor that stands for the row with this sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(text: str, key_type: type[Key]) -> Key:
    """The sort key in a cursor, as `key_type` (e.g. ``tuple[str, int]``). Raises BadCursor."""
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=key_type)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise BadCursor(
            f"The cursor {text[:40]!r} is not one of this list's. Leave it out to get the first page."
        ) from error
