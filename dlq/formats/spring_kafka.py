"""Spring Kafka's dead-letter topics and its retry topics.

``kafka_dlt-*`` is what the DeadLetterPublishingRecoverer writes, the same without ``dlt-`` what the retry topics do.
Numbers are bytes, big-endian. What tells the origin may come once for each hop: the first is where it all began.
https://docs.spring.io/spring-kafka/reference/kafka/annotation-error-handling.html#dead-letters
"""

import re

from dlq.formats.format import Death, Origin
from dlq.formats.values import first_of, last_of, message_of_cause, number_in_bytes, partition
from eventhub.events.message import Message

OWNED = (
    "kafka_dlt-",
    "kafka_original-",
    "kafka_exception-",
    "kafka_key-exception-",
    "retry_topic-",
    # What the container tells its listener of the delivery; the record keeps it when it is given up.
    "kafka_deliveryattempt",
    "kafka_listenerinfo",
)
# What Spring wraps the error of a listener in.
WRAPPERS = ("ListenerExecutionFailedException", "TimestampedException")
# How the names of dead-letter and retry topics end.
SUFFIX = re.compile(r"(-retry(-\d+)?|-dlt(-\d+)?|\.DLT)$")


class SpringKafka:
    """The headers of Spring's dead-letter and retry topics."""

    name = "Spring Kafka"

    def recognises(self, message: Message) -> bool:
        """Whether any header begins as Spring's do."""
        return any(name.startswith(OWNED) for name in message.headers)

    def read(self, message: Message) -> Death:
        """The latest error, and the topic where the message was first."""
        is_key = not last_of(message, *_names("exception-fqcn")) and bool(
            last_of(message, *_names("key-exception-fqcn"))
        )
        kind = "key-exception" if is_key else "exception"
        error_class = last_of(message, *_names(f"{kind}-fqcn"))
        error_message = last_of(message, *_names(f"{kind}-message"))
        stack = last_of(message, *_names(f"{kind}-stacktrace"))
        cause = last_of(message, *_names("exception-cause-fqcn"))
        if cause and error_class.endswith(WRAPPERS):
            error_message = message_of_cause(stack, cause) or error_message
            error_class = cause
        return Death(
            error_class=error_class,
            error_message=error_message,
            stack=stack,
            failed_in=last_of(message, "kafka_dlt-original-consumer-group", "kafka_original-consumer-group"),
            origin=_origin(message),
            attempts=_attempts(message),
        )

    def owns(self, header: str) -> bool:
        """What Spring wrote about the error, the origin and the retries."""
        return header.startswith(OWNED)


def _attempts(message: Message) -> int:
    """By its retry topics, where each hop writes the number of the attempt to come; or at one listener."""
    text = last_of(message, "retry_topic-attempts") or None
    to_come = number_in_bytes(text, 4) or number_in_bytes(text, 1)  # as older versions write it
    delivered = number_in_bytes(last_of(message, "kafka_deliveryattempt") or None, 4)
    return max(1, min(max((to_come or 1) - 1, delivered or 1), 1_000_000))


def _origin(message: Message) -> Origin:
    topic = first_of(message, *_names("original-topic"))
    if not topic:
        # Spring can be told to leave it out; then the name of the topic tells, as long as it is the usual one.
        base = SUFFIX.sub("", message.topic)
        return Origin(base if base != message.topic else "")
    number = number_in_bytes(first_of(message, *_names("original-partition")) or None, 4)
    return Origin(topic, partition(number))


def _names(what: str) -> tuple[str, str]:
    return f"kafka_dlt-{what}", f"kafka_{what}"
