"""What a rule is: it counts something in each piece of the log, and judges what has been counted."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

import msgspec
from django.urls import reverse

from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece

MOST_EVIDENCE = 5


class Evidence(msgspec.Struct, frozen=True):
    """Something to look at: a page of the product that shows the flaw."""

    label: str
    href: str
    words: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A flaw that a rule finds now. (rule, service, subject) says which one it is from run to run."""

    # Empty: the system as a whole.
    service: str
    subject: str
    # One sentence, with the service as its subject where there is one.
    title: str
    # More of it: figures, which fields, who else.
    detail: str = ""
    # What to do instead, for this very case.
    advice: str
    n: int
    of: int | None = None
    evidence: Sequence[Evidence] = ()
    first_at: datetime
    last_at: datetime
    # Where it differs from the rule's own.
    severity: Severity | None = None


class Rule(ABC):
    """One rule of good event design. A new one is a module in ``rules/``, a line in its list and a page of docs."""

    # Names the docs page, docs/review/<key>.md, and stands in addresses: small letters and hyphens.
    key: ClassVar[str]
    title: ClassVar[str]
    severity: ClassVar[Severity]

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """What this piece of the log adds to the rule's counts."""
        return ()

    @abstractmethod
    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """The flaws that the facts of the last 24 hours show."""


def events(ids: Iterable[str], words: str = "") -> list[Evidence]:
    """Links to the pages of events."""
    chosen = list(dict.fromkeys(one for one in ids if one))[:MOST_EVIDENCE]
    return [Evidence(one, reverse("event", args=[one]), words) for one in chosen]


def event_type(name: str, words: str = "") -> Evidence:
    """A link to the page of an event type."""
    return Evidence(name, reverse("event-type", args=[name]), words)
