"""Where the correlation id is found when the envelope itself has none (DESIGN, section 3)."""

import re
from collections.abc import Mapping, Sequence

from eventhub.events.message import Message

# W3C Trace Context, version 00: https://www.w3.org/TR/trace-context/#traceparent-header
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
# Message headers that tell a correlation id, and those of frameworks that tell a conversation's, in the order in
# which they are believed. The correlation id among AMQP's properties stands between them.
CORRELATION_HEADERS = ("correlation_id", "correlation-id", "correlationid", "x-correlation-id")
CONVERSATION_HEADERS = ("nservicebus.conversationid", "conversationid", "mt-conversationid")
HEADERS = (*CORRELATION_HEADERS, *CONVERSATION_HEADERS)
AMQP_PROPERTY = "correlation_id"


def trace_id(traceparent: str | None) -> str | None:
    """The trace id in a ``traceparent``; None when there is none or it is not valid."""
    match = TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None


def from_message(message: Message) -> str | None:
    """The correlation id that the headers or properties of `message` tell, else None."""
    headers = message.headers
    return (
        trace_id(headers.get("traceparent"))
        or _first(headers, CORRELATION_HEADERS)
        or message.properties.get(AMQP_PROPERTY)
        or _first(headers, CONVERSATION_HEADERS)
    )


def _first(headers: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)
