"""What every envelope has in common: the texts that become columns, times, and JSON that PostgreSQL can hold."""

import re
from datetime import UTC, datetime

import msgspec

from eventhub.events.envelope import MAX_TEXT, Undecodable

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
# An escaped NUL: \u0000 behind an even number of backslashes. PostgreSQL's jsonb cannot hold it.
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
MAX_BIGINT = 2**63 - 1


def refuse_nul(text: str) -> None:
    """Raise Undecodable when the JSON text `text` holds a NUL character."""
    if "\\u0000" in text and ESCAPED_NUL.search(text):
        raise Undecodable(
            "NulCharacter", r"A text holds the character \u0000, which cannot be stored. Leave it out."
        )


def field(name: str, value: str | None) -> str | None:
    """A text that becomes a column: empty means absent. Raises Undecodable when it is too long or unprintable."""
    if not value:
        return None
    if len(value) > MAX_TEXT:
        raise Undecodable("TooLong", f"{name} has {len(value):,} characters; at most {MAX_TEXT} are allowed.")
    if CONTROL_CHARACTERS.search(value):
        raise Undecodable("ControlCharacter", f"{name} holds a control character: {value[:60]!r}.")
    return value


def required(name: str, value: str | None) -> str:
    """As `field`, for what must be there."""
    checked = field(name, value)
    if checked is None:
        raise Undecodable("MissingField", f"{name} is missing or empty.")
    return checked


def wrong_type(error: msgspec.ValidationError, where: str = "") -> Undecodable:
    """msgspec's refusal of a value as ours: of the wrong type, or beyond a limit."""
    text = str(error)
    kind = (
        "TooLong" if "of length" in text else "OutOfRange" if re.search("`int` [<>]", text) else "WrongType"
    )
    return Undecodable(kind, f"{where}{text}.")


def instant(name: str, value: datetime) -> datetime:
    """`value` in UTC; a time without zone is taken as UTC. Raises Undecodable when UTC has no such year."""
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Undecodable("BadTime", f"{name} is outside of the years 1 to 9999.") from None


def bigint(name: str, value: int | None) -> int | None:
    """A whole number from 0 that fits PostgreSQL's bigint. Raises Undecodable."""
    if value is not None and not 0 <= value <= MAX_BIGINT:
        raise Undecodable("OutOfRange", f"{name} is {value}; it must lie between 0 and {MAX_BIGINT}.")
    return value
