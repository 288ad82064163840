"""The rules, in the order in which they are told. A new one is a line here."""

from collections.abc import Sequence

from monitoring.review.rule import Rule
from monitoring.review.rules.dead_types import DeadTypes
from monitoring.review.rules.event_as_command import EventAsCommand
from monitoring.review.rules.event_soup import EventSoup
from monitoring.review.rules.idempotency_gaps import IdempotencyGaps
from monitoring.review.rules.ignored_order import IgnoredOrder
from monitoring.review.rules.missing_correlation import MissingCorrelation
from monitoring.review.rules.mutated_events import MutatedEvents
from monitoring.review.rules.naming_drift import NamingDrift
from monitoring.review.rules.not_past_tense import NotPastTense
from monitoring.review.rules.payload_style import PayloadStyle
from monitoring.review.rules.retry_storms import RetryStorms
from monitoring.review.rules.schema_drift import SchemaDrift
from monitoring.review.rules.timestamps import Timestamps
from monitoring.review.rules.versions import Versions

RULES: Sequence[Rule] = (
    EventSoup(),
    EventAsCommand(),
    MissingCorrelation(),
    IgnoredOrder(),
    MutatedEvents(),
    Versions(),
    Timestamps(),
    NotPastTense(),
    NamingDrift(),
    PayloadStyle(),
    SchemaDrift(),
    RetryStorms(),
    DeadTypes(),
    IdempotencyGaps(),
)


def rule_of(key: str) -> Rule | None:
    """The rule of this key."""
    return next((rule for rule in RULES if rule.key == key), None)
