"""Time travel: what a stream's state was at a version, or at a time, and what changed in between.

A time is meant in one of two ways. By event time: what had happened by then, whenever it was told. By recorded time:
what EventHub knew by then, and a report or a decision made at that moment could have known.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from eventhub.events.queries import StoredEvent
from eventhub.sourcing import aggregates, reading

By = Literal["occurred", "recorded"]
# A stream is folded anew for a question by time; longer ones are told to be asked by version.
MOST_EVENTS = 100_000


class State(msgspec.Struct, frozen=True):
    """What a stream had come to."""

    stream: str
    # Of the last event that counts; 0: none does.
    version: int
    # How many events count. By event time it can be less than `version`: some were told before, and had not happened.
    events: int
    # As JSON values: that of its aggregate, or without one the fields that its events told last.
    value: Any
    # The declared aggregate's class; "" without one.
    aggregate: str


class Change(msgspec.Struct, frozen=True):
    """One difference between two states: a path like ``items[0].sku``, and what was and is there (None: nothing)."""

    path: str
    before: Any
    after: Any
    kind: Literal["added", "removed", "changed"]


class Plain:
    """The state of a stream for which no aggregate is declared: each field as it was told last."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}

    def apply(self, event: StoredEvent) -> None:
        """Take over what the event tells."""
        value = event.value
        if isinstance(value, dict):
            self.fields.update(value)
        elif value is not None:
            self.fields[event.event_type] = value


def at_version(stream: str, version: int | None = None) -> State:
    """The state of `stream` at `version`; None: now. Raises StreamTruncated."""
    found = aggregates.for_stream(stream)
    if found is None:
        return _plain(stream, list(reading.read(stream, until=version, limit=MOST_EVENTS)))
    loaded = found.load_stream(stream, until=version)
    return State(stream, loaded.version, loaded.version, _told(loaded.state), found.kind.__name__)


def at_time(stream: str, at: datetime, by: By = "occurred") -> State:
    """The state of `stream` at a time: of what had happened by then, or of what was recorded by then."""
    counting = [
        event
        for event in reading.read(stream, limit=MOST_EVENTS)
        if (event.occurred_at if by == "occurred" else event.recorded_at) <= at
    ]
    found = aggregates.for_stream(stream)
    if found is None:
        return _plain(stream, counting)
    state = aggregates.fold(found.kind(), counting)
    last = max((event.stream_version or 0 for event in counting), default=0)
    return State(stream, last, len(counting), _told(state), found.kind.__name__)


def diff(before: Any, after: Any, path: str = "") -> list[Change]:
    """What is different between two JSON values, in the order of the paths."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: list[Change] = []
        for key in sorted({*before, *after}):
            inside = f"{path}.{key}" if path else key
            if key not in after:
                found.append(Change(inside, before[key], None, "removed"))
            elif key not in before:
                found.append(Change(inside, None, after[key], "added"))
            else:
                found += diff(before[key], after[key], inside)
        return found
    if isinstance(before, list) and isinstance(after, list):
        common = min(len(before), len(after))
        found = [change for n in range(common) for change in diff(before[n], after[n], f"{path}[{n}]")]
        found += [Change(f"{path}[{n}]", before[n], None, "removed") for n in range(common, len(before))]
        found += [Change(f"{path}[{n}]", None, after[n], "added") for n in range(common, len(after))]
        return found
    if before == after and type(before) is type(after):
        return []
    return [Change(path, before, after, "changed")]


def _plain(stream: str, events: list[StoredEvent]) -> State:
    state = aggregates.fold(Plain(), events)
    last = max((event.stream_version or 0 for event in events), default=0)
    return State(stream, last, len(events), state.fields, "")


def _told(state: Any) -> Any:
    """The state as JSON values."""
    try:
        return msgspec.to_builtins(state)
    except TypeError:
        return msgspec.to_builtins(vars(state), enc_hook=str)
