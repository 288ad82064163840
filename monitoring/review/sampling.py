"""Real events to show: a few of the latest of a type."""

from time import monotonic

from eventhub.events import queries
from monitoring.review.rule import Evidence, events

SHOWN = 3
# Links stay good for a while; a run need not look for newer ones each time.
FRESH_S = 300.0
_known: dict[str, tuple[float, list[str]]] = {}
MOST_KNOWN = 2_000


def latest(event_type: str, words: str = "") -> list[Evidence]:
    """Links to the latest events of a type."""
    now = monotonic()
    at, ids = _known.get(event_type, (-FRESH_S, []))
    if now - at >= FRESH_S or not ids:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        ids = [one.event_id for one in queries.latest_of_type(event_type, SHOWN)]
        _known[event_type] = (now, ids)
    return events(ids, words or f"an event of {event_type}")
