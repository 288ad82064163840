"""An event that tells somebody what to do, by its name: the publisher then decides what another service does."""

from collections.abc import Iterable

from monitoring.review.english.judging import Reading, better
from monitoring.review.facts import Facts
from monitoring.review.models import Severity
from monitoring.review.names import names
from monitoring.review.rule import Rule, Verdict, event_type
from monitoring.review.sampling import latest


class EventAsCommand(Rule):
    """Reads the name of each type that was seen (``monitoring/review/english/``)."""

    key = "event-as-command"
    title = "Events that are commands"
    severity = Severity.FLAW

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type whose name is in the imperative."""
        for named in names(facts):
            if named.judged.reading is not Reading.COMMAND:
                continue
            name, fact = named.fact.event_type, named.fact
            said = better(name, named.judged)
            yield Verdict(
                service=fact.service,
                subject=name,
                title=f"{_who(fact.service)} sends commands dressed as events: {name}",
                detail=f"“{named.judged.word}” is an imperative: the name says what a receiver is to do.",
                advice=(f"Say what happened: {said}. " if said else "Say what happened, in the past tense. ")
                + "Whoever cares reacts; the publisher need not know who that is. If exactly one service must do it "
                "and the sender waits, call it by its API, or put the command on a queue of that service's own.",
                n=fact.n,
                evidence=[event_type(name), *latest(name)],
                first_at=fact.first_at,
                last_at=fact.last_at,
            )


def _who(service: str) -> str:
    return service or "An unnamed service"
