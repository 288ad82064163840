"""What a service reports about each attempt to handle an event: EventHub's error rates and processing times."""

import traceback
import uuid
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings

from eventhub.demo.bus import Delivery
from eventhub.demo.envelope import ShopEvent
from eventhub.demo.faults import Entry

RECEIPTS = "shop.receipts"
DEAD_LETTERS = "shop.dead-letters"


def receipt(
    event: ShopEvent,
    *,
    service: str,
    attempt: int,
    duration_s: float,
    at: datetime,
    error: Exception | None = None,
    will_retry: bool = False,
) -> Entry:
    """The receipt of one attempt, as a message: succeeded, or failed of `error`."""
    data: dict[str, Any] = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "service": service,
        "attempt": attempt,
        "duration_ms": round(duration_s * 1000, 2),
    }
    if error is not None:
        data["error"] = {"class": class_name(error), "message": str(error), "stack": stack(error)}
        data["will_retry"] = will_retry
    envelope = {
        "event_id": str(uuid.uuid4()),
        "event_type": "eventhub.delivery.failed" if error else "eventhub.delivery.succeeded",
        "event_version": "1",
        "timestamp": at,
        "data": data,
        "metadata": {
            "source": service,
            "correlation_id": event.correlation_id,
            "causation_id": event.event_id,
        },
    }
    return Entry(RECEIPTS, msgspec.json.encode(envelope))


def dead_letter(delivery: Delivery, error: Exception, *, service: str, attempts: int, at: datetime) -> Entry:
    """The message as it came, with what a person needs to know in its headers."""
    kept = {name: value for name, value in delivery.headers.items() if not name.startswith("dlq-")}
    return Entry(
        DEAD_LETTERS,
        delivery.body,
        {
            **kept,
            "dlq-reason": "handler failed",
            "dlq-error-class": class_name(error),
            "dlq-error-message": str(error),
            "dlq-stack": stack(error),
            "dlq-origin-stream": delivery.topic,
            "dlq-group": service,
            "dlq-attempts": str(attempts),
            "dlq-failed-at": at.isoformat(timespec="milliseconds"),
        },
    )


def class_name(error: Exception) -> str:
    """The full name of an error's class, e.g. ``decimal.InvalidOperation``."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def stack(error: Exception) -> str:
    """The traceback, with paths from the project's root on: the same on every machine."""
    text = "".join(traceback.format_exception(error))
    return text.replace(f"{settings.BASE_DIR}/", "")
