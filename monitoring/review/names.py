"""How the names of the last day's event types read, with the words that the team has taught."""

from collections.abc import Iterator

import msgspec

from monitoring.review.english.judging import Judged, judge
from monitoring.review.facts import Fact, Facts
from monitoring.review.models import Word

EVENTS = "events"


class Named(msgspec.Struct, frozen=True):
    """A type as a service sends it, and how its name reads."""

    fact: Fact
    judged: Judged


def own_words() -> dict[str, str]:
    """The team's own words, from the admin."""
    return dict(Word.objects.values_list("word", "kind"))


def names(facts: Facts) -> Iterator[Named]:
    """Every (service, type) of the last day."""
    own = own_words()
    for fact in facts.total(EVENTS, "service", "event_type").values():
        yield Named(fact, judge(fact.event_type, own))
