"""What of a stored event whoever asks may see. Packages above register rules; without any, everything is shown."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from django.http import HttpRequest

from eventhub.events.queries import StoredEvent

Show = Callable[[StoredEvent], StoredEvent]
Rule = Callable[[HttpRequest], Show | None]

_rules: list[Rule] = []


def hide_by(rule: Rule) -> None:
    """Register a rule: for a request, how its events are shown; None where this rule hides nothing."""
    if rule not in _rules:
        _rules.append(rule)


def shown_to(request: HttpRequest) -> Show:
    """How events are shown to whoever asks."""
    shows = [found for rule in _rules if (found := rule(request)) is not None]

    def show(event: StoredEvent) -> StoredEvent:
        for one in shows:
            event = one(event)
        return event

    return show


def content_shown_to(request: HttpRequest, event_type: str, event_id: str, content: str) -> str:
    """The JSON of a whole event that is kept elsewhere than in the store, as whoever asks may see it."""
    try:
        whole = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return content
    if "data" not in whole:
        return content
    shown = shown_to(request)(_bare(event_type, event_id, bytes(whole["data"]).decode()))
    return msgspec.json.encode(whole | {"data": msgspec.Raw((shown.data or "null").encode())}).decode()


def _bare(event_type: str, event_id: str, data: str) -> StoredEvent:
    at = datetime.now(UTC)
    place = (None, None, None, None, None)
    return StoredEvent(
        event_id, event_type, None, at, at, *place, data, len(data), "{}", None, None, *place[:4], 0, 0
    )
