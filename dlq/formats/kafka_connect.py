"""Kafka Connect's dead-letter queue, with ``errors.deadletterqueue.context.headers.enable``.

All values are text. Connect does not replace a header that is there: a message that died twice tells its first death.
https://kafka.apache.org/documentation/#connect_errorreporting
"""

from dlq.formats.format import Death, Origin
from dlq.formats.values import count, partition
from eventhub.events.message import Message

PREFIX = "__connect.errors."


class KafkaConnect:
    """``__connect.errors.*``."""

    name = "Kafka Connect"

    def recognises(self, message: Message) -> bool:
        """Whether any header begins with ``__connect.errors.``."""
        return any(name.startswith(PREFIX) for name in message.headers)

    def read(self, message: Message) -> Death:
        """The error, and the connector that had it; without words of its own, the stage it happened in."""

        def value(name: str) -> str:
            return message.headers.get(PREFIX + name, "")

        stage, executing = value("stage"), value("class.name")
        where = (
            f"The connector failed in the stage {stage}{f', in {executing}' if executing else ''}."
            if stage
            else ""
        )
        return Death(
            error_class=value("exception.class.name"),
            error_message=value("exception.message") or where,
            stack=value("exception.stacktrace"),
            failed_in=value("connector.name"),
            origin=Origin(value("topic"), partition(count(value("partition")))),
        )

    def owns(self, header: str) -> bool:
        """Every ``__connect.errors.*`` header."""
        return header.startswith(PREFIX)
