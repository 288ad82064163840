"""What was seen of what is masked for others: noted while a request is answered, written when it is."""

from django.http import HttpRequest

from eventhub.access import audit

# More than these are counted and not named.
NAMED = 100


def note(request: HttpRequest, event_type: str, name: str) -> None:
    """Personal data of an event (or a dead letter) of this type is shown to whoever asks."""
    noted: dict[str, dict[str, None]] = request.__dict__.setdefault("_eventhub_seen", {})
    noted.setdefault(event_type, {})[name] = None


def write(request: HttpRequest) -> None:
    """Write what was noted: an entry for each event type."""
    noted: dict[str, dict[str, None]] = request.__dict__.pop("_eventhub_seen", {})
    for event_type, names in noted.items():
        audit.record(
            audit.actor_of(request),
            "see personal data",
            f"events of {event_type}",
            count=len(names),
            events=list(names)[:NAMED],
            address=request.path[:300],
        )
