"""Receipts: a service's report that it processed an event, or failed to (DESIGN, section 6)."""

from datetime import datetime

import msgspec

from eventhub.events.envelope import Event

PREFIX = "eventhub.delivery."
SUCCEEDED = f"{PREFIX}succeeded"
FAILED = f"{PREFIX}failed"
TYPES = frozenset((SUCCEEDED, FAILED))


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """One attempt of one service to process one event."""

    event_id: str
    event_type: str | None
    service: str
    succeeded: bool
    # How long the attempt took; None when the service did not say.
    duration_s: float | None
    attempt: int
    error_class: str
    error_message: str
    # Whether the service means to try again by itself; None when it did not say.
    will_retry: bool | None
    at: datetime


class _Error(msgspec.Struct):
    class_: str = msgspec.field(name="class", default="")
    message: str = ""


class _Data(msgspec.Struct):
    event_id: str
    event_type: str | None = None
    service: str | None = None
    attempt: int = 1
    duration_ms: float | None = None
    error: _Error | None = None
    will_retry: bool | None = None


_decode = msgspec.json.Decoder(_Data).decode


def parse(event: Event) -> Receipt | None:
    """The receipt that `event` is; None when it is no receipt, or one that does not hold what it must."""
    if event.event_type not in TYPES:
        return None
    try:
        data = _decode(event.data)
    except msgspec.ValidationError:
        return None
    error = data.error or _Error()
    known_duration = data.duration_ms is not None and data.duration_ms >= 0
    return Receipt(
        event_id=data.event_id,
        event_type=data.event_type,
        service=data.service or event.source or "",
        succeeded=event.event_type == SUCCEEDED,
        duration_s=(data.duration_ms or 0.0) / 1000 if known_duration else None,
        attempt=data.attempt,
        error_class=error.class_,
        error_message=error.message,
        will_retry=data.will_retry,
        at=event.occurred_at,
    )
