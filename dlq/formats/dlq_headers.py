"""Plain ``dlq-*`` headers, as services write them that dead-letter by themselves (Redis Streams has no other way)."""

from collections.abc import Mapping
from datetime import UTC, datetime

from dlq.formats.format import Death
from eventhub.events.message import Message

PREFIX = "dlq-"


class DlqHeaders:
    """``dlq-reason``, ``-error-class``, ``-error-message``, ``-stack``, ``-origin-stream``, ``-group``, ``-attempts``
    and ``-failed-at`` (ISO 8601)."""

    name = "dlq headers"

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Whether any header begins with ``dlq-``."""
        return any(name.startswith(PREFIX) for name in headers)

    def read(self, message: Message) -> Death:
        """The death that the headers tell; the reason stands in where there is no error message."""
        headers = message.headers
        return Death(
            error_class=headers.get("dlq-error-class", ""),
            error_message=headers.get("dlq-error-message") or headers.get("dlq-reason", ""),
            stack=headers.get("dlq-stack", ""),
            failed_in=headers.get("dlq-group", ""),
            topic=headers.get("dlq-origin-stream", ""),
            attempts=_count(headers.get("dlq-attempts", "")),
            failed_at=_time(headers.get("dlq-failed-at", "")),
        )

    def owns(self, header: str) -> bool:
        """Every ``dlq-*`` header."""
        return header.startswith(PREFIX)


def _count(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
