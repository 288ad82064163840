from typing import Any

from eventhub.events.queries import StoredEvent
from tests.traces.building import event


def many(count: int, prefix: str, event_type: str, **fields: Any) -> list[StoredEvent]:
    """So many events of a type, a second apart."""
    return [event(f"{prefix}{n}", event_type, n, **fields) for n in range(count)]
