"""Messages that died, as the tests need them."""

import json
from datetime import UTC, datetime
from typing import Any

from dlq.dead_letter_queues import read
from dlq.intake import NewLetter
from dlq.models import Reason
from eventhub.events.message import Message


def broken(n: int, **changed: Any) -> NewLetter:
    """A message of the shop's orders that could not be read."""
    message = Message(
        body=changed.pop("body", b"{"),
        topic=changed.pop("read_from", "shop.orders"),
        offset=f"{n}-0",
        origin_key=changed.pop("origin_key", f"redis:shop.orders/{n}-0"),
        headers=changed.pop("headers", {}),
    )
    values: dict[str, Any] = {
        "reason": Reason.UNDECODABLE,
        "error_class": "NotAnEvent",
        "error_message": changed.pop("message", "The body is not JSON."),
    }
    return NewLetter(message=message, **(values | changed))


def order_paid(event_id: str = "evt-1", **changed: Any) -> bytes:
    """An event as the shop publishes it."""
    return json.dumps(
        {
            "event_id": event_id,
            "event_type": "order.paid",
            "event_version": "1",
            "timestamp": "2026-11-24T10:00:00Z",
            "data": {"order_id": 8412, "amount": 49.5},
            "metadata": {"source": "payments", "correlation_id": changed.pop("correlation_id", "order-8412")},
        }
    ).encode()


def dead_message(n: int, **changed: Any) -> Message:
    """What the shop's shipping service puts on its dead-letter stream."""
    headers = {
        "content-type": "application/json",
        "dlq-reason": "gave up after 3 attempts",
        "dlq-error-class": "shop.shipping.CarrierTimeout",
        "dlq-error-message": f"The carrier did not answer in {n} s for order {8400 + n}",
        "dlq-stack": STACK,
        "dlq-origin-stream": "shop.orders",
        "dlq-group": "shipping",
        "dlq-attempts": "3",
        "dlq-failed-at": "2026-11-24T10:00:05+00:00",
    }
    return Message(
        body=changed.pop("body", None)
        or order_paid(
            changed.pop("event_id", f"evt-{n}"), correlation_id=changed.pop("correlation_id", f"order-{n}")
        ),
        topic="shop.dead-letters",
        offset=f"{n}-0",
        origin_key=changed.pop("origin_key", f"redis:shop.dead-letters/{n}-0"),
        headers=headers | changed.pop("headers", {}),
        timestamp=datetime.now(UTC),
    )


def service_failure(n: int, **changed: Any) -> NewLetter:
    """A letter of the shop's shipping service."""
    return read(dead_message(n, **changed))


STACK = """Traceback (most recent call last):
  File "/usr/lib/python3.11/runpy.py", line 196, in _run_module_as_main
    return _run_code(code, main_globals, None)
  File "/app/shop/shipping.py", line 88, in handle
    label = carrier.book(order)
  File "/app/shop/carrier.py", line 31, in book
    return self.session.post(url, json=body, timeout=3)
  File "/app/.venv/lib/python3.11/site-packages/httpx/_client.py", line 1144, in post
    raise TimeoutException(message)
shop.shipping.CarrierTimeout: The carrier did not answer"""
