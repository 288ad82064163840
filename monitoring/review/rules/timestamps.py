"""Times that cannot be: from the future, or before their cause."""

from collections.abc import Iterable

from monitoring.review.causes import causes
from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, events

FUTURE, BEFORE, CAUSED = "time.future", "time.before_cause", "time.caused"
# Clocks within this of each other are as good as it gets without special care.
JITTER_S = 1.0
LEAST = 3
LEAST_SHARE = 0.01


class Timestamps(Rule):
    """Compares when events say they happened with when the hub recorded them, and with their causes."""

    key = "timestamps"
    title = "Wrong clocks"
    severity = Severity.FLAW

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Events ahead of the hub's clock, and effects that come before their causes."""
        for one in piece.traffic:
            yield Counted(FUTURE, one.future, one.service, one.event_type, samples=one.future_ids)
        for effect in causes(piece):
            if effect.cause_at is None or effect.cause_service == effect.service:
                continue
            yield Counted(CAUSED, 1, effect.service)
            if (effect.cause_at - effect.occurred_at).total_seconds() > JITTER_S:
                yield Counted(
                    BEFORE, 1, effect.service, detail=effect.cause_service or "", samples=[effect.event_id]
                )

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for a service whose clock is ahead, one for a service that answers before it was asked."""
        sent = facts.total("events", "service")
        for key, fact in facts.total(FUTURE, "service").items():
            of = sent[key].n if key in sent else fact.n
            if fact.n < LEAST or fact.n / of < LEAST_SHARE:
                continue
            (service,) = key
            yield Verdict(
                service=service,
                subject="the future",
                title=f"{service or 'An unnamed service'} publishes events from the future",
                detail=f"{fact.n} of {of} events happened later than EventHub received them.",
                advice="Its clock is ahead: synchronise the clocks of its hosts (NTP, chrony), and stamp an event with "
                "the time at which it happened, in UTC, not with a local time or a time that is planned.",
                n=fact.n,
                of=of,
                evidence=events(fact.samples, "from the future"),
                first_at=fact.first_at,
                last_at=fact.last_at,
            )
        yield from _before(facts)


def _before(facts: Facts) -> Iterable[Verdict]:
    caused = facts.total(CAUSED, "service")
    ahead = {service for (service,) in facts.total(FUTURE, "service")}
    for key, fact in facts.total(BEFORE, "service").items():
        of = caused[key].n if key in caused else fact.n
        if fact.n < LEAST or fact.n / of < LEAST_SHARE or fact.detail in ahead:
            continue  # it is the clock of who sends the causes that is wrong
        (service,) = key
        yield Verdict(
            service=service,
            subject="before the cause",
            title=f"{service or 'An unnamed service'} answers before it is asked: its clock is behind",
            detail=f"{fact.n} of {of} of its events are stamped earlier than the events of {fact.detail} that caused "
            "them.",
            advice="Synchronise the clocks of its hosts (NTP, chrony). Until then order by causation and by stream "
            "version, never by time.",
            n=fact.n,
            of=of,
            evidence=events(fact.samples, "earlier than its cause"),
            first_at=fact.first_at,
            last_at=fact.last_at,
        )
