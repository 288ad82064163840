"""What changed since the event before: of the same stream where the trace holds one, else of the same type."""

from collections.abc import Iterator
from typing import Any

import msgspec

from eventhub.events import queries
from eventhub.events.queries import StoredEvent
from eventhub.traces.assemble import Step, Trace

# More differences are not read by anybody.
MOST_CHANGES = 60
_MISSING = object()


class Change(msgspec.Struct, frozen=True):
    """A place in the payload that differs. `kind`: added, removed or changed; values as JSON texts."""

    path: str
    kind: str
    before: str
    after: str


def previous_to(trace: Trace, step: Step, event: StoredEvent) -> tuple[StoredEvent | None, str]:
    """The event before this one, and what of: "stream" or "type"."""
    of_stream = [
        other.event
        for other in trace.steps
        if other.event is not None
        and event.stream is not None
        and other.event.stream == event.stream
        and (other.at, other.event.position) < (event.occurred_at, event.position)
    ]
    if of_stream:
        return max(of_stream, key=lambda one: (one.occurred_at, one.position)), "stream"
    before = queries.latest_of_type(event.event_type, 1, before=(event.occurred_at, event.position))
    return (before[0], "type") if before else (None, "")


def changes_between(before: Any, after: Any) -> list[Change]:
    """Where two payloads differ, by path, in the order of the paths; at most `MOST_CHANGES`."""
    found = []
    for change in _changes("", before, after):
        found.append(change)
        if len(found) == MOST_CHANGES:
            break
    return found


def _changes(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            inner = f"{path}.{name}" if path else name
            yield from _changes(inner, before.get(name, _MISSING), after.get(name, _MISSING))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from _changes(
                f"{path}[{place}]",
                before[place] if place < len(before) else _MISSING,
                after[place] if place < len(after) else _MISSING,
            )
    elif before is _MISSING or after is _MISSING or type(before) is not type(after) or before != after:
        kind = "added" if before is _MISSING else "removed" if after is _MISSING else "changed"
        yield Change(path or "(all)", kind, _said(before), _said(after))


def _said(value: Any) -> str:
    return "" if value is _MISSING else msgspec.json.encode(value).decode()[:300]
