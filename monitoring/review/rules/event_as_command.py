"""An event that tells somebody what to do, by its name: the publisher then decides what another service does."""

from collections.abc import Iterable

from monitoring.review.english.judging import Reading, better
from monitoring.review.facts import Fact, Facts
from monitoring.review.models import Severity
from monitoring.review.names import names
from monitoring.review.rule import Rule, Verdict, event_type
from monitoring.review.sampling import latest

# A past tense that asks all the same.
ASKED = frozenset(("requested", "ordered", "commanded", "asked", "demanded"))
# "Exactly one consumer always answers" is told from so many events on, and for this share of them.
LEAST = 20
ALWAYS = 0.9


class EventAsCommand(Rule):
    """Reads the name of each type that was seen (``monitoring/review/english/``)."""

    key = "event-as-command"
    title = "Events that are commands"
    severity = Severity.FLAW

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type whose name is in the imperative, or that asks and always gets its answer."""
        for named in names(facts):
            name, fact = named.fact.event_type, named.fact
            answered = _answered(facts, fact)
            if named.judged.reading is Reading.COMMAND:
                why = f"“{named.judged.word}” is an imperative: the name says what a receiver is to do."
            elif answered and (named.judged.reading is not Reading.FACT or named.judged.word in ASKED):
                why = "It asks for something to be done."
            else:
                continue
            said = better(name, named.judged)
            yield Verdict(
                service=fact.service,
                subject=name,
                title=f"{_who(fact.service)} sends commands dressed as events: {name}",
                detail=f"{why} {answered}".strip(),
                advice=(f"Say what happened: {said}. " if said else "Say what happened, in the past tense. ")
                + "Whoever cares reacts; the publisher need not know who that is. If exactly one service must do it "
                "and the sender waits, call it by its API, or put the command on a queue of that service's own.",
                n=fact.n,
                evidence=[event_type(name), *latest(name)],
                first_at=fact.first_at,
                last_at=fact.last_at,
            )


def _answered(facts: Facts, fact: Fact) -> str:
    """That exactly one service always answers and the sender waits for it, in words; empty where it is not so."""
    flow, key = facts.flow, (fact.event_type, fact.service)
    consumers = flow.deliveries.get(key, {})
    if len(consumers) != 1 or fact.n < LEAST:
        return ""
    (consumer,) = consumers
    for (answer, answerer), times in flow.hops.get(key, {}).items():
        waits = fact.service in flow.deliveries.get((answer, answerer), {})
        if answerer == consumer != fact.service and waits and times >= ALWAYS * fact.n:
            return (
                f"{consumer} answers {times} of {fact.n} with {answer}, and {fact.service} waits for it: nobody else "
                "cares."
            )
    return ""


def _who(service: str) -> str:
    return service or "An unnamed service"
