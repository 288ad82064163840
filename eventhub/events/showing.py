"""What of a stored event whoever asks may see. Packages above register rules; without any, everything is shown."""

from collections.abc import Callable

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
