"""Keeping secrets out of what is said: errors of brokers, states of workers, logs.

Every secret that this process has read is known here, and is replaced wherever it would be told: brokers and their
clients put addresses and credentials into their errors as they like.
"""

import logging
import re
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

DOTS = "••••••"
# A shorter secret is replaced only where it stands by itself: otherwise hardly a word would be left.
SHORT = 8
MOST_KNOWN = 2_000

_lock = threading.Lock()
_known: dict[str, None] = {}
_pattern: re.Pattern[str] | None = None


def remember(values: Iterable[Any]) -> None:
    """From now on `scrub` replaces these values, and the forms in which they stand in addresses and JSON."""
    global _pattern
    forms = [form for value in values if not isinstance(value, bool | None) for form in _forms(str(value))]
    with _lock:
        new = [form for form in forms if form not in _known]
        if not new:
            return
        _known.update(dict.fromkeys(new))
        while len(_known) > MOST_KNOWN:
            del _known[next(iter(_known))]
        # The longest first, so that of one that begins like another nothing is left.
        _pattern = re.compile("|".join(_expression(form) for form in sorted(_known, key=len, reverse=True)))


def scrub(text: str) -> str:
    """`text` with every known secret in it replaced by dots."""
    return _pattern.sub(DOTS, text) if _pattern else text


class Formatter(logging.Formatter):
    """A log's formatter that lets no known secret through, in messages and in tracebacks."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        record.message = scrub(record.message)
        return super().formatMessage(record)

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """The traceback."""
        return scrub(super().formatException(ei))


def _forms(secret: str) -> set[str]:
    whole = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1]}
    # Of a key in PEM, any line is telling.
    lines = {line.strip() for line in secret.splitlines()} if "\n" in secret else set()
    return {form for form in whole if form} | {
        line for line in lines if len(line) >= 16 and not line.startswith("-----")
    }


def _expression(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= SHORT else rf"(?<!\w){escaped}(?!\w)"
