"""Steps that the code declares: for what reads streams, and always wants events as the code of today expects them."""

from collections.abc import Callable
from typing import Any

import msgspec

from eventhub.events.queries import StoredEvent
from eventhub.schemas.personal.sealing import opened

Upcast = Callable[[Any], Any]
# By type and the version that an event has; what it becomes, and how.
_steps: dict[tuple[str, str | None], tuple[str, Upcast]] = {}


def upcaster(event_type: str, since: str | None, to: str) -> Callable[[Upcast], Upcast]:
    """Have the decorated function turn data of `event_type` in version `since` (None: without version) into `to`.

    Steps follow each other: from 1 to 2 and from 2 to 3 reads version 1 as 3. Raises ValueError for a step that is
    there already, or that leads in a circle.
    """

    def declare(function: Upcast) -> Upcast:
        if (event_type, since) in _steps:
            raise ValueError(f"There is an upcaster of {event_type} from version {since!r} already.")
        at: str | None = to
        while at is not None:
            if at == since:
                raise ValueError(f"The upcaster of {event_type} from {since!r} to {to!r} leads in a circle.")
            at = _steps[event_type, at][0] if (event_type, at) in _steps else None
        _steps[event_type, since] = (to, function)
        return function

    return declare


def declared() -> list[tuple[str, str | None, str]]:
    """Every step: the event type, the version it takes (None: without version), the version it makes."""
    return sorted(
        ((name, since, to) for (name, since), (to, _) in _steps.items()),
        key=lambda step: (step[0], step[1] or "", step[2]),
    )


def upcast(event: StoredEvent) -> StoredEvent:
    """`event`, opened, in the latest form that there is an upcaster to."""
    event = opened(event)
    step = _steps.get((event.event_type, event.event_version))
    if step is None:
        return event
    value, version = event.value, event.event_version
    while step is not None:
        version, function = step
        value = function(value)
        step = _steps.get((event.event_type, version))
    return msgspec.structs.replace(event, data=msgspec.json.encode(value).decode(), event_version=version)
