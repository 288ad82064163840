"""The log: lines for people, or one JSON object a line for machines (``LOG_FORMAT=json``).

Both name what was being worked on (`eventhub.telemetry.context`), and let no known secret through.
"""

import logging
from datetime import UTC, datetime

import msgspec

from eventhub.brokers.secrets import scrubbing
from eventhub.telemetry import context

FORMATS = ("text", "json")
# Ids come from outside, too: none may begin a line of its own, or colour a terminal.
_UNPRINTABLE = dict.fromkeys((*range(32), 127, *range(128, 160), 8232, 8233), "?")


class Bound(logging.Filter):
    """Notes on each record what its thread works on: a handler may write it later, from another thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything through."""
        record.bound = dict(context.current())
        return True


class Lines(scrubbing.Formatter):
    """``2026-01-31 10:00:00,000 WARNING dlq.intake: … [source=orders task_id=…]``."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        line = super().formatMessage(record)
        bound = _bound(record)
        if not bound:
            return line
        said = " ".join(f"{name}={value.translate(_UNPRINTABLE)}" for name, value in bound.items())
        return f"{line} [{scrubbing.scrub(said)}]"


class Json(scrubbing.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, process, thread, the ids, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; what cannot be told as JSON is told as text, so no record is lost."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrubbing.scrub(record.getMessage()),
            "process": record.process,
            "thread": record.threadName,
            **{name: scrubbing.scrub(value) for name, value in _bound(record).items()},
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__
            told["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(_encodable(told)).decode()


def _bound(record: logging.LogRecord) -> dict[str, str]:
    return getattr(record, "bound", {})


def _encodable(told: dict[str, object]) -> dict[str, object]:
    """Half of a character (a lone surrogate) cannot be written in UTF-8."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in told.items()
    }
