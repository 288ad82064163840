"""Plain ``dlq-*`` headers, as services write them that dead-letter by themselves (Redis Streams has no other way)."""

from dlq.formats.format import Death, Origin
from dlq.formats.values import count
from eventhub.events.message import Message
from eventhub.events.times import read_time

PREFIX = "dlq-"


class DlqHeaders:
    """``dlq-reason``, ``-error-class``, ``-error-message``, ``-stack``, ``-origin-stream``, ``-group``, ``-attempts``
    and ``-failed-at`` (ISO 8601)."""

    name = "dlq headers"

    def recognises(self, message: Message) -> bool:
        """Whether any header begins with ``dlq-``."""
        return any(name.startswith(PREFIX) for name in message.headers)

    def read(self, message: Message) -> Death:
        """The death that the headers tell; the reason stands in where there is no error message."""
        headers = message.headers
        return Death(
            error_class=headers.get("dlq-error-class", ""),
            error_message=headers.get("dlq-error-message") or headers.get("dlq-reason", ""),
            stack=headers.get("dlq-stack", ""),
            failed_in=headers.get("dlq-group", ""),
            origin=Origin(headers.get("dlq-origin-stream", "")),
            attempts=count(headers.get("dlq-attempts")) or 1,
            failed_at=read_time(headers.get("dlq-failed-at", "")),
        )

    def owns(self, header: str) -> bool:
        """Every ``dlq-*`` header."""
        return header.startswith(PREFIX)
