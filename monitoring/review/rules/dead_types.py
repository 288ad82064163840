"""Types that nobody sends, and types that nobody hears."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Min

from eventhub.schemas.models import EventType, Lifecycle
from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, event_type
from monitoring.review.sampling import latest

OWN = "events.own"
# What was declared may take so long until it is first sent.
GRACE = timedelta(days=14)
# Fewer events without a consumer say nothing.
LEAST = 20
# Only where consumers report what they handle does silence mean something: this share of the types is heard.
LEAST_HEARD = 0.5


class DeadTypes(Rule):
    """Compares the catalogue with what was seen, and what was sent with what consumers report."""

    key = "dead-types"
    title = "Dead types"
    severity = Severity.ADVICE

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Events of streams here: their readers are in the same code."""
        for one in piece.traffic:
            yield Counted(OWN, one.own, one.service, one.event_type)

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type that is declared and was never seen, or is sent and never consumed."""
        yield from _never_sent(facts)
        yield from _never_heard(facts)


def _never_sent(facts: Facts) -> Iterable[Verdict]:
    declared = (
        EventType.objects.filter(last_seen_at=None)
        .exclude(lifecycle=Lifecycle.EXPERIMENTAL)
        .annotate(since=Min("versions__created_at"))
        .filter(since__lt=facts.now - GRACE)
    )
    for one in declared[:200]:
        yield Verdict(
            service="",
            subject=one.name,
            title=f"{one.name} is declared and was never sent",
            detail=f"It has been in the catalogue since {one.since:%Y-%m-%d}"
            + (f" (owner: {one.owner})" if one.owner else "")
            + ", and no event of it ever came.",
            advice="Take it out of the catalogue, or mark it as experimental until it is sent. If it is "
            "sent on a topic that "
            "is not tapped, add that as a source.",
            n=0,
            evidence=[event_type(one.name)],
            first_at=one.since,
            last_at=facts.now,
        )


def _never_heard(facts: Facts) -> Iterable[Verdict]:
    own = {fact.event_type for fact in facts.of(OWN)}
    sent = [
        fact for fact in facts.total("events", "service", "event_type").values() if fact.event_type not in own
    ]
    heard = {name for (name, _), by in facts.flow.deliveries.items() if by}
    heard |= {fact.event_type for fact in sent if facts.flow.consumers(fact.event_type)}
    types = {fact.event_type for fact in sent}
    if not types or len(types & heard) / len(types) < LEAST_HEARD:
        return
    for fact in sent:
        if fact.event_type in heard or fact.n < LEAST:
            continue
        yield Verdict(
            service=fact.service,
            subject=fact.event_type,
            title=f"Nobody consumes {fact.event_type} of {fact.service or 'an unnamed service'}",
            detail=f"{fact.n} were sent in the last day, and no service and no handler reported to have handled one.",
            advice="Ask who it is for. If it is for nobody, stop sending it: it costs storage and attention. If its "
            "consumer does not report what it handles, have it send receipts, or make an exemption.",
            n=fact.n,
            evidence=[event_type(fact.event_type), *latest(fact.event_type)],
            first_at=fact.first_at,
            last_at=fact.last_at,
        )
