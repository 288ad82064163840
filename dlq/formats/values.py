"""How the values of headers are read: counts, numbers in bytes, lines of a stack."""

import re
from collections.abc import Iterator

from eventhub.events.message import Message
from eventhub.events.wire_text import to_bytes

MAX_COUNT = 1_000_000_000


def count(text: str | None) -> int | None:
    """A whole number from 0, as its digits; None for anything else."""
    if not text or not (text.isascii() and text.isdigit()) or len(text) > 12:
        return None
    return min(int(text), MAX_COUNT)


def number_in_bytes(text: str | None, size: int) -> int | None:
    """A signed number in `size` bytes, big-endian, as Java writes it; digits are read too. None for anything else."""
    if text is None:
        return None
    raw = to_bytes(text)
    if len(raw) == size:
        return int.from_bytes(raw, "big", signed=True)
    return count(text)


def partition(number: int | None) -> int | None:
    """A partition's number, where it can be one: -1 means that there is none."""
    return number if number is not None and 0 <= number <= MAX_COUNT else None


def all_of(message: Message, *names: str) -> Iterator[str]:
    """The values of the headers with one of these names (in lower case), in the order in which they came."""
    for name, value in message.header_pairs():
        if name.lower() in names:
            yield value


def first_of(message: Message, *names: str) -> str:
    """The first value of a header that may come several times; "" without one."""
    return next(all_of(message, *names), "")


def last_of(message: Message, *names: str) -> str:
    """The last value of a header that may come several times; "" without one."""
    headers = message.headers
    return next((headers[name] for name in names if headers.get(name)), "")


def message_of_cause(stack: str, cause: str) -> str:
    """What the stack of a Java exception says its `cause` was; "" where it does not."""
    if not cause:
        return ""
    found = re.search(rf"^Caused by: {re.escape(cause)}: (.+)$", stack, re.MULTILINE)
    return found[1].strip() if found else ""
