"""Consumers that handle the same event twice, with the effects to show for it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece, select
from monitoring.review.receipts import reports
from monitoring.review.rule import Rule, Verdict, event_type, events

HANDLED, TWICE, EFFECTS = "handled", "handled.twice", "effects.twice"
# Of so many events of a piece it is looked up what came of handling them twice.
MOST_LOOKED_UP = 50


class IdempotencyGaps(Rule):
    """Two reports of success by one service about one event: it did not notice that it had seen it."""

    key = "idempotency-gaps"
    title = "Duplicates with effects"
    severity = Severity.BROKEN

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Events that a service handled, those that it handled twice, and what it published because of these."""
        done: Counter[tuple[str, str, str]] = Counter()
        for one in reports(piece):
            if one.succeeded:
                done[one.service, one.event_type, one.event_id] += 1
        for (service, name), n in Counter((service, name) for service, name, _ in done).items():
            yield Counted(HANDLED, n, service, name)
        looked_up = 0
        for (service, name, event_id), times in done.items():
            if times < 2:
                continue
            yield Counted(TWICE, 1, service, name, samples=[event_id])
            if looked_up < MOST_LOOKED_UP:
                looked_up += 1
                for effect, ids in _doubled(event_id, service):
                    yield Counted(EFFECTS, len(ids) - 1, service, name, effect, samples=ids)

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type that a consumer handles twice."""
        handled = facts.total(HANDLED, "service", "event_type")
        effects = facts.total(EFFECTS, "service", "event_type")
        for key, fact in facts.total(TWICE, "service", "event_type").items():
            service, name = key
            effect = effects.get(key)
            done = f" and published {effect.detail} again" if effect else ""
            yield Verdict(
                service=service,
                subject=name,
                title=f"{service or 'An unnamed service'} handles duplicates of {name} twice{done}",
                detail=f"{fact.n} of {handled[key].n} events were reported as handled more than once by "
                "the same service.",
                advice="Remember the ids of handled events in the transaction of their effects (an "
                "inbox: insert the id, and "
                "skip when it is there). Every broker delivers again after a crash or a rebalance.",
                n=fact.n,
                of=handled[key].n,
                evidence=[
                    *events(fact.samples[:3], "handled twice"),
                    *(events(effect.samples[:3], f"published for it: {effect.detail}") if effect else []),
                    event_type(name),
                ],
                first_at=fact.first_at,
                last_at=fact.last_at,
                severity=None if effect else Severity.FLAW,
            )


def _doubled(event_id: str, service: str) -> Iterable[tuple[str, Sequence[str]]]:
    # events_event_once for the event, events_event_correlation for what came of it.
    rows = select(
        """SELECT effect.event_type, array_agg(effect.event_id) FROM (
               SELECT correlation_id FROM events_event WHERE event_id = %s AND correlation_id IS NOT NULL LIMIT 1
           ) AS about JOIN events_event effect ON effect.correlation_id = about.correlation_id
           WHERE effect.causation_id = %s AND effect.source = %s AND effect.event_type NOT LIKE 'eventhub.%%'
           GROUP BY 1 HAVING count(*) > 1""",
        event_id,
        event_id,
        service,
    )
    return [(name, ids[:3]) for name, ids in rows]
