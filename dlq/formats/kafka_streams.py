"""Kafka Streams' dead-letter queue (KIP-1034, in 4.2), and the names of kafka-error-handling that came before it."""

from dlq.formats.format import Death, Origin
from dlq.formats.values import count, last_of, partition
from eventhub.events.message import Message

PREFIX = "__streams.errors."


class KafkaStreams:
    """``__streams.errors.*``, all of them text."""

    name = "Kafka Streams"

    def recognises(self, message: Message) -> bool:
        """Whether any header begins with ``__streams.errors.``."""
        return any(name.startswith(PREFIX) for name in message.headers)

    def read(self, message: Message) -> Death:
        """The error; `exception` is its class, in some versions with the message behind a colon."""

        def value(*names: str) -> str:
            return last_of(message, *(PREFIX + name for name in names))

        error_class, _, said = value("exception", "exception.class.name").partition(": ")
        return Death(
            error_class=error_class,
            error_message=value("message", "exception.message") or said or value("description"),
            stack=value("stacktrace", "exception.stack_trace"),
            origin=Origin(value("topic"), partition(count(value("partition")))),
        )

    def owns(self, header: str) -> bool:
        """Every ``__streams.errors.*`` header."""
        return header.startswith(PREFIX)
