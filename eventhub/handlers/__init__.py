"""Handlers: functions that EventHub calls with events, each once (docs/handlers.md).

from eventhub.handlers import Event, handles

@handles("order.placed")
def create_shipment(event: Event) -> None: ...
"""

from eventhub.events.queries import StoredEvent as Event
from eventhub.handlers.breaker import Breaker
from eventhub.handlers.errors import PermanentError, TemporaryError, TimedOut
from eventhub.handlers.registry import handles
from eventhub.handlers.retry import Retry

__all__ = ["Breaker", "Event", "PermanentError", "Retry", "TemporaryError", "TimedOut", "handles"]
