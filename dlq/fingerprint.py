"""Which dead letters died of the same thing, decided from what they died of.

The same origin, event type, kind of error, wording of the message and place in the code make one group. Ids and
numbers in the message do not count, so that a thousand orders failing alike are one line to read.
"""

import hashlib
import re
from functools import lru_cache

import msgspec

from dlq.stack import top_frame

# Part of every digest: a better algorithm gets a new version and leaves the groups that are there alone.
VERSION = "1"
# What stands in a title for what differs from letter to letter.
GAP = "…"
MAX_MESSAGE_CHARS = 2_000
MAX_TITLE_CHARS = 200

_QUOTED = re.compile(
    r"\"[^\"\n]{0,500}\"|(?<!\w)'[^'\n]{0,500}'(?!\w)|«[^»\n]{0,500}»|“[^”\n]{0,500}”|‘[^’\n]{0,500}’"
)
_QUOTES = "\"'«“‘"
_UUID = re.compile(r"\b[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\b")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_HEX = re.compile(r"\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{6,64}\b")
# A word with a digit in it is a number (1,234.5, 3s) or an id (ord_8f3k, order-8412, 10.0.0.1:8080, a time).
# UTF-8 is a name.
_WORD_WITH_DIGIT = re.compile(r"(?<!UTF-)(?:(?<!\w)(?<!UTF)[+-])?[^\W\d]*\d[\w.,:+\-/]*")
_GAPS = re.compile(rf"{GAP}(?:[\s,;:/.\-_#]*{GAP})+")
MIN_UUID_CHARS = 32


class Fingerprint(msgspec.Struct, frozen=True):
    """What a group is known by: a stable digest, and words for people."""

    digest: str
    title: str


def normalise(message: str) -> str:
    """`message` with everything that names one case (ids, numbers, quoted text, hex) replaced by a gap."""
    text = message[:MAX_MESSAGE_CHARS]
    # In a flood of letters a search that cannot find anything is half of the work.
    if any(quote in text for quote in _QUOTES):
        text = _QUOTED.sub(_gap, text)
    # No pattern below reaches over white space, and none finds anything in a plain word.
    words = [
        word if word.isalpha() and len(word) < MIN_UUID_CHARS else _without_ids(word) for word in text.split()
    ]
    return _GAPS.sub(GAP, " ".join(words)).strip()


@lru_cache(maxsize=8192)
def _without_ids(word: str) -> str:
    if word.isdecimal():
        return GAP
    if len(word) >= MIN_UUID_CHARS:
        word = _UUID.sub(_gap, word)
    if "@" in word:
        word = _EMAIL.sub(_gap, word)
    for pattern in (_HEX, _WORD_WITH_DIGIT):
        word = pattern.sub(_gap, word)
    return word


def fingerprint(
    *, origin: str, event_type: str, error_class: str, message: str, stack: str = ""
) -> Fingerprint:
    """The fingerprint of a failure. Never raises, whatever the texts hold.

    `origin` is what failed: a service, or the source whose messages could not be read.
    """
    words = normalise(message)
    frame = top_frame(stack)
    parts = (VERSION, origin, event_type, error_class, words, frame.place if frame else "")
    digest = hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()
    return Fingerprint(f"{VERSION}-{digest[:40]}", _title(error_class, words))


def _gap(match: re.Match[str]) -> str:
    text = match[0]
    # A sentence's own punctuation after the number stays.
    kept = text[len(text.rstrip(".,:")) :] if text[-1:] in ".,:" else ""
    return GAP + kept


def _title(error_class: str, words: str) -> str:
    short_class = error_class.rsplit(".", 1)[-1].rsplit("$", 1)[-1]
    first_line = words if len(words) <= MAX_TITLE_CHARS else words[: MAX_TITLE_CHARS - 1].rstrip() + GAP
    if short_class and first_line and first_line != GAP:
        return f"{short_class}: {first_line}"
    return short_class or first_line or "An error without words"
