"""Celery's tasks, where their queue dead-letters them: which task it was. Why it died, the broker tells.

https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2
"""

from dlq.formats.bodies import event_of
from dlq.formats.format import Death
from dlq.formats.values import count
from eventhub.events.message import Message


class CeleryTask:
    """The headers of a task message. None of them tells of a failure: the task needs them all when it is sent again."""

    name = "Celery"

    def recognises(self, message: Message) -> bool:
        """Whether it names a task, in a language, by an id."""
        return {"task", "id", "lang"} <= message.headers.keys()

    def read(self, message: Message) -> Death:
        """The task, and how often it was tried."""

        def value(name: str) -> str:
            text = message.headers.get(name, "")
            return "" if text in ("null", "None") else text  # as AMQP's nothing is told

        return Death(
            failed_in=value("task"),
            attempts=min(1 + (count(value("retries")) or 0), 1_000_000),
            event=event_of(
                message,
                event_id=value("id"),
                event_type=value("task"),
                source=value("origin"),
                correlation_id=value("root_id"),
                causation_id=value("parent_id"),
            ),
        )

    def owns(self, header: str) -> bool:
        """No header."""
        return False
