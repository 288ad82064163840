"""Real events to show: a few of the latest of a type."""

from eventhub.events import queries
from monitoring.review.rule import Evidence, events

SHOWN = 3


def latest(event_type: str, words: str = "") -> list[Evidence]:
    """Links to the latest events of a type."""
    found = queries.latest_of_type(event_type, SHOWN)
    return events((one.event_id for one in found), words or f"a {event_type}")
