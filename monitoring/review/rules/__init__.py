"""The rules, in the order in which they are told. A new one is a line here."""

from collections.abc import Sequence

from monitoring.review.rule import Rule
from monitoring.review.rules.event_as_command import EventAsCommand
from monitoring.review.rules.missing_correlation import MissingCorrelation
from monitoring.review.rules.mutated_events import MutatedEvents

RULES: Sequence[Rule] = (EventAsCommand(), MissingCorrelation(), MutatedEvents())


def rule_of(key: str) -> Rule | None:
    """The rule of this key."""
    return next((rule for rule in RULES if rule.key == key), None)
