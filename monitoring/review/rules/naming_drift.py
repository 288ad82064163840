"""Names written in three styles in one system: nobody can guess how the next type is spelled."""

from collections import defaultdict
from collections.abc import Iterable

from monitoring.review.english.splitting import Style, style
from monitoring.review.facts import Fact, Facts
from monitoring.review.models import Severity
from monitoring.review.rule import Rule, Verdict, event_type
from monitoring.review.sampling import latest

LEAST_STYLES = 3


class NamingDrift(Rule):
    """Compares how the words of names are joined; names of a single word fit every style."""

    key = "naming-drift"
    title = "Naming drift"
    severity = Severity.ADVICE

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for the whole system."""
        styles: dict[Style, list[Fact]] = defaultdict(list)
        for fact in facts.total("events", "service", "event_type").values():
            if (written := style(fact.event_type)) is not Style.PLAIN:
                styles[written].append(fact)
        if len(styles) < LEAST_STYLES:
            return
        usual = max(styles, key=lambda one: (len({fact.event_type for fact in styles[one]}), one.value))
        strays = {one: found for one, found in styles.items() if one is not usual}
        told = [
            f"{one.value}: {', '.join(sorted({fact.event_type for fact in found})[:3])}"
            f" ({', '.join(sorted({fact.service for fact in found if fact.service})[:3])})"
            for one, found in sorted(strays.items())
        ]
        stray_facts = [fact for found in strays.values() for fact in found]
        yield Verdict(
            service="",
            subject="styles of names",
            title=f"Event types are written in {len(styles)} styles",
            detail=f"Most are {usual.value}. Others: {'; '.join(told)}.",
            advice=f"Choose one, {usual.value} as most are, for what is new; rename what is old when it "
            "changes next, with "
            "both names sent for a while.",
            n=sum(fact.n for fact in stray_facts),
            of=sum(fact.n for found in styles.values() for fact in found),
            evidence=[
                proof
                for one, found in sorted(styles.items())
                for proof in (event_type(found[0].event_type, one.value), *latest(found[0].event_type)[:1])
            ],
            first_at=min(fact.first_at for fact in stray_facts),
            last_at=max(fact.last_at for fact in stray_facts),
        )
