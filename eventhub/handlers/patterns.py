"""Which event types a handler wants: names, with ``*`` standing for any text."""

import re
from collections.abc import Iterable

from eventhub.events.envelope import MAX_TEXT
from eventhub.events.receipts import PREFIX as RECEIPTS

SYSTEM_PREFIX = RECEIPTS.partition(".")[0] + "."
_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")
# Wildcards of other systems, which would silently match nothing here.
_FOREIGN = {
    "#": "AMQP's # is written * here",
    "?": "a single ? stands for nothing here",
    "[": "there are no [sets]",
    ">": "NATS's > is written * here",
}


class BadPattern(ValueError):
    """A pattern that cannot be what its author meant. The text says what to write instead."""


def check(pattern: str) -> None:
    """Raise BadPattern when `pattern` is not one."""
    if not isinstance(pattern, str) or not pattern:
        raise BadPattern(
            "is empty; write an event type such as order.placed, or order.* for all that begin so"
        )
    if len(pattern) > MAX_TEXT:
        raise BadPattern(f"has {len(pattern)} characters; event types have at most {MAX_TEXT}")
    if _CONTROL_OR_SPACE.search(pattern):
        raise BadPattern("holds a space or a control character; give each pattern as an argument of its own")
    if "**" in pattern:
        raise BadPattern("holds **; a single * stands for any text, dots included")
    for sign, advice in _FOREIGN.items():
        if sign in pattern:
            raise BadPattern(f"holds {sign!r}: {advice}")


def matches(patterns: Iterable[str], event_type: str) -> bool:
    """Whether any of `patterns` fits. EventHub's own events fit only patterns that name them."""
    return any(_matches(pattern, event_type) for pattern in patterns)


def _matches(pattern: str, event_type: str) -> bool:
    if event_type.startswith(SYSTEM_PREFIX) and not pattern.startswith(SYSTEM_PREFIX):
        return False
    if "*" not in pattern:
        return pattern == event_type
    parts = pattern.split("*")
    first, *middle, last = parts
    if len(event_type) < len(first) + len(last):
        return False
    if not (event_type.startswith(first) and event_type.endswith(last)):
        return False
    place, end = len(first), len(event_type) - len(last)
    for part in middle:
        found = event_type.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
