"""Events without correlation, chains that break, causes that nobody knows: what happened cannot be followed."""

from collections.abc import Iterable, Mapping

from monitoring.review.causes import causes, with_unknown_cause
from monitoring.review.facts import Counted, Fact, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, events

BARE, CAUSED, DANGLING = "correlation.none", "cause.any", "cause.unknown"
BREAKS, INHERITS, CHANGES = "correlation.lost", "correlation.inherited", "correlation.changed"
# A service below this share has no flaw but an odd event.
LEAST_SHARE = 0.01
LEAST = 3


class MissingCorrelation(Rule):
    """Counts events without correlation id by service, and looks a sample of causes up."""

    key = "missing-correlation"
    title = "Missing correlation"
    severity = Severity.BROKEN

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Events without correlation id, of all; causes, of the piece's first."""
        for one in piece.traffic:
            yield Counted(
                BARE, one.no_correlation, one.service, one.event_type, samples=one.no_correlation_ids
            )
        yield from _causes(piece)

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding a service for what has no correlation, and one for causes that point nowhere."""
        sent = facts.total("events", "service")
        caused = facts.total(CAUSED, "service")
        yield from _bare(facts, sent)
        yield from _broken(facts, caused)
        yield from _dangling(facts, caused)


def _bare(facts: Facts, sent: Mapping[tuple[str, ...], Fact]) -> Iterable[Verdict]:
    types = facts.of(BARE)
    inherited, breaks = facts.total(INHERITS, "service"), facts.total(BREAKS, "service")
    for key, fact in facts.total(BARE, "service").items():
        of = sent[key].n if key in sent else fact.n
        if fact.n < LEAST or fact.n / of < LEAST_SHARE:
            continue
        if key in inherited and key not in breaks and inherited[key].n * 2 > fact.n:
            continue  # it passes on what it was given: the chain breaks before it
        (service,) = key
        named = sorted({one.event_type for one in types if one.service == service})
        heard = facts.flow.heard_by(service)
        detail = f"{fact.n} of {of} events have no correlation id: {', '.join(named[:5])}."
        if heard:
            detail += f" The chain breaks here: it receives {heard[0]} with one, and does not pass it on."
        yield Verdict(
            service=service,
            subject="correlation id",
            title=f"{service or 'An unnamed service'} publishes events that belong to no trace",
            detail=detail,
            advice="Take correlation_id over from the event that is handled, and give its event_id as causation_id. "
            "Where something begins, make a correlation id (an order's number will do).",
            n=fact.n,
            of=of,
            evidence=events(fact.samples, "no correlation id"),
            first_at=fact.first_at,
            last_at=fact.last_at,
        )


def _broken(facts: Facts, caused: Mapping[tuple[str, ...], Fact]) -> Iterable[Verdict]:
    lost = {**facts.total(CHANGES, "service")}
    for key, fact in lost.items():
        of = caused[key].n if key in caused else fact.n
        if fact.n < LEAST or fact.n / of < LEAST_SHARE:
            continue
        (service,) = key
        yield Verdict(
            service=service,
            subject="chain",
            title=f"{service or 'An unnamed service'} breaks the chain: its events have another correlation id than "
            "their causes",
            detail=f"{fact.n} of {of} events that name a cause carry another correlation id than it.",
            advice="Take the correlation id over from the cause. Where a new process is meant to begin, keep the cause "
            "and say so in the event (for example with the first id in its data).",
            n=fact.n,
            of=of,
            evidence=events(fact.samples, "another correlation id than its cause"),
            first_at=fact.first_at,
            last_at=fact.last_at,
            severity=Severity.FLAW,
        )


def _dangling(facts: Facts, caused: Mapping[tuple[str, ...], Fact]) -> Iterable[Verdict]:
    for key, fact in facts.total(DANGLING, "service").items():
        of = caused[key].n if key in caused else fact.n
        if fact.n < LEAST or fact.n / of < 2 * LEAST_SHARE:
            continue
        still = with_unknown_cause(fact.samples)
        if not still:
            continue  # the causes came after all: the hub was behind with them
        (service,) = key
        yield Verdict(
            service=service,
            subject="causation id",
            title=f"{service or 'An unnamed service'} names causes that nobody published",
            detail=f"{fact.n} of {of} causation ids are of no event in the store.",
            advice="Give the event_id of the event that is handled as causation_id, not a request's or a row's id. If "
            "the cause lives on a topic that is not tapped, add it as a source.",
            n=fact.n,
            of=of,
            evidence=events(still, "its cause is unknown"),
            first_at=fact.first_at,
            last_at=fact.last_at,
            severity=Severity.FLAW,
        )


def _causes(piece: Piece) -> Iterable[Counted]:
    for one in causes(piece):
        yield Counted(CAUSED, 1, one.service)
        if one.cause is None:
            yield Counted(DANGLING, 1, one.service, samples=[one.event_id])
        elif one.correlation_id is None:
            yield Counted(BREAKS if one.cause_correlation_id else INHERITS, 1, one.service)
        elif one.cause_correlation_id not in (None, one.correlation_id):
            yield Counted(CHANGES, 1, one.service, samples=[one.event_id])
