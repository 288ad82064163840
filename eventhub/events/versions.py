"""Stored events in another version than the one they came in. A package above registers how."""

from collections.abc import Callable

from eventhub.events.queries import StoredEvent

# An event and the wanted version → the event as that version has it. Raises NoWay.
Read = Callable[[StoredEvent, str], StoredEvent]


class NoWay(ValueError):
    """The event cannot be read in the wanted version; the message says why."""


def _none(event: StoredEvent, wanted: str) -> StoredEvent:
    if event.event_version == wanted:
        return event
    raise NoWay(f"Nothing reads {event.event_type} in another version.")


_read: list[Read] = [_none]


def read_by(read: Read) -> None:
    """Register how events are read in a wanted version."""
    _read[:] = [read]


def in_version(event: StoredEvent, wanted: str) -> StoredEvent:
    """`event`, as whoever asks may see it, as the version `wanted` of its type has it. Raises NoWay."""
    return _read[0](event, wanted)
