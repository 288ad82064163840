"""The words of an event type's name, in whatever style it is written."""

import re
from enum import StrEnum

# What joins the parts of a name, and what joins the words of a part.
_PARTS = re.compile(r"[./:\\#]+")
_JOINTS = re.compile(r"[_\-\s]+")
# userHTTPRequest2Failed -> user HTTP Request 2 Failed
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+|[^\W\d_]+")
_VERSION = re.compile(r"v?\d+")
# What says only that it is an event; without it the name says the same.
_WRAPPING = frozenset(("event", "events", "evt"))


class Style(StrEnum):
    """How words are joined within a part of a name."""

    PLAIN = "plain"  # a single small word: placed
    SNAKE = "snake_case"
    KEBAB = "kebab-case"
    CAMEL = "camelCase"
    PASCAL = "PascalCase"
    UPPER = "UPPER_CASE"
    MIXED = "mixed"


def parts(name: str) -> list[list[str]]:
    """The parts of a name (between dots, slashes and colons), each as its words in small letters.

    Versions and words like "event" are left out, as they say nothing of what happened.
    """
    found = []
    for part in _PARTS.split(name):
        words = [word for joint in _JOINTS.split(part) for word in _words(joint)]
        kept = [word for word in words if not _VERSION.fullmatch(word)]
        while len(kept) > 1 and kept[-1] in _WRAPPING:
            kept.pop()
        if kept and not (len(kept) == 1 and kept[0] in _WRAPPING):
            found.append(kept)
    return found


def _words(text: str) -> list[str]:
    if text.isupper() or text.islower():
        return [word.lower() for word in re.findall(r"[^\W\d_]+|\d+", text)]
    return [word.lower() for word in _HUMPS.findall(text)]


def style(name: str) -> Style:
    """The style of a name, told by its last part of more than one word; PLAIN where there is none."""
    last = Style.PLAIN
    for part in _PARTS.split(name):
        if not _VERSION.fullmatch(part) and (one := _style(part)) is not Style.PLAIN:
            last = one
    return last


def _style(part: str) -> Style:
    is_snake, is_kebab = "_" in part.strip("_"), "-" in part.strip("-")
    if is_snake and is_kebab:
        return Style.MIXED
    if is_snake or is_kebab:
        if part.isupper():
            return Style.UPPER
        if not part.islower():
            return Style.MIXED
        return Style.SNAKE if is_snake else Style.KEBAB
    if part.islower() or not part:
        return Style.PLAIN
    if part.isupper():
        return Style.UPPER if len(part) > 3 else Style.PLAIN
    return Style.PASCAL if part[:1].isupper() else Style.CAMEL
