"""Where the correlation id is found when the envelope itself has none (DESIGN, section 3)."""

import re
from collections.abc import Mapping

# W3C Trace Context, version 00: https://www.w3.org/TR/trace-context/#traceparent-header
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
# Message headers that carry the conversation, in the order in which they are believed.
HEADERS = (
    "correlation_id",
    "correlation-id",
    "correlationid",
    "x-correlation-id",
    "nservicebus.conversationid",
    "conversationid",
    "mt-conversationid",
)


def trace_id(traceparent: str | None) -> str | None:
    """The trace id in a ``traceparent``; None when there is none or it is not valid."""
    match = TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None


def from_headers(headers: Mapping[str, str]) -> str | None:
    """The correlation id that message headers (names in lower case) tell, else None."""
    if found := trace_id(headers.get("traceparent")):
        return found
    return next((headers[name] for name in HEADERS if headers.get(name)), None)
