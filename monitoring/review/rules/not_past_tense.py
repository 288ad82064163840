"""Names that do not say what happened: order.status, payment.processing, CustomerAddressUpdate."""

from collections.abc import Iterable

from monitoring.review.english.judging import Reading, better
from monitoring.review.facts import Facts
from monitoring.review.models import Severity
from monitoring.review.names import names
from monitoring.review.rule import Rule, Verdict, event_type
from monitoring.review.sampling import latest


class NotPastTense(Rule):
    """Reads the name of each type that was seen. Commands are a rule of their own."""

    key = "not-past-tense"
    title = "Names that tell no fact"
    severity = Severity.ADVICE

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type whose name is a thing or goes on."""
        for named in names(facts):
            if named.judged.reading is not Reading.NOUN:
                continue
            fact, name = named.fact, named.fact.event_type
            said = better(name, named.judged)
            goes_on = named.judged.word.endswith("ing")
            yield Verdict(
                service=fact.service,
                subject=name,
                title=f"{fact.service or 'An unnamed service'} names an event without saying what happened: {name}",
                detail=f"“{named.judged.word}” "
                + (
                    "goes on and has not happened."
                    if goes_on
                    else "is a thing: it was made, changed, found, or lost?"
                ),
                advice=(
                    f"Say it in the past tense, such as {said}."
                    if said
                    else "Say what happened, in the past tense: "
                )
                + ("" if said else f"{_head(name)}…_changed, …_created, …_measured, whichever it was."),
                n=fact.n,
                evidence=[event_type(name), *latest(name)],
                first_at=fact.first_at,
                last_at=fact.last_at,
            )


def _head(name: str) -> str:
    head = name.rpartition(".")[0]
    return f"{head}." if head else ""
