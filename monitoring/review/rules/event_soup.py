"""Many small events where one would do: customer.street_changed, customer.city_changed, …, all from one move."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from monitoring.review.english.splitting import parts
from monitoring.review.english.verbs import is_past
from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, event_type, events

TOGETHER, MESSAGES = "soup.together", "soup.messages"
# Fewer types are no soup.
LEAST_TYPES = 3
# What one cause brought about within so long belongs together.
WITHIN = "5 seconds"
LEAST = 3
MOST_ROWS = 500
MOST_EVENTS = 20_000


class Family(msgspec.Struct, frozen=True):
    """What is the same of the types of one family: customer.<field>_changed."""

    entity: str
    verb: str


def family(name: str) -> tuple[Family, str] | None:
    """The family of a type and the field that it is about; None where its name is of no such kind."""
    words = [word for part in parts(name) for word in part]
    if len(words) < 3 or not is_past(words[-1]):
        return None
    return Family(words[0], words[-1]), "_".join(words[1:-1])


class EventSoup(Rule):
    """Looks for types of one entity with the same verb that one cause brings about together."""

    key = "event-soup"
    title = "Event soup"
    severity = Severity.FLAW

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """How often types of one family came together, and in how many messages."""
        families: dict[tuple[str, Family], set[str]] = defaultdict(set)
        for one in piece.traffic:
            if found := family(one.event_type):
                families[one.service, found[0]].add(one.event_type)
        suspects = sorted(
            {name for names in families.values() if len(names) >= LEAST_TYPES for name in names}
        )
        if not suspects:
            return
        for service, names, times, messages, sample in _together(piece, suspects):
            by_family: dict[Family, int] = defaultdict(int)
            for name in names:
                if found := family(name):
                    by_family[found[0]] += 1
            for one_family, types in by_family.items():
                if types >= LEAST_TYPES:
                    detail = f"{one_family.entity} {one_family.verb}"
                    yield Counted(TOGETHER, times, service, detail=detail, samples=[sample])
                    yield Counted(MESSAGES, messages, service, detail=detail)

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each family of a service."""
        messages = facts.total(MESSAGES, "service", "detail")
        for (service, detail), fact in facts.total(TOGETHER, "service", "detail").items():
            if fact.n < LEAST:
                continue
            fields = _fields(facts, service, detail)
            sent = messages[service, detail].n
            entity, verb = detail.split()
            names = sorted(fields)
            coarse = f"{entity}.{verb}"
            yield Verdict(
                service=service,
                subject=f"{entity}.*_{verb}",
                title=f"{service or 'An unnamed service'} sends {len(names)} small events where one would do: "
                f"{entity}.*_{verb}",
                detail=f"{', '.join(names)} come together: {fact.n} changes took {sent} messages, "
                f"{sent / fact.n:.1f} each.",
                advice=f"One {coarse} with the fields {', '.join(fields[name] for name in names)} tells "
                "the whole change, "
                f"in {fact.n} messages instead of {sent}: {1 - fact.n / sent:.0%} fewer. Consumers then "
                "never see half a "
                "change.",
                n=fact.n,
                evidence=[*events(fact.samples, "one of them"), *map(event_type, names)][:8],
                first_at=fact.first_at,
                last_at=fact.last_at,
            )


def _fields(facts: Facts, service: str, detail: str) -> dict[str, str]:
    """The family's types of the last day with the field of each."""
    found = {}
    for fact in facts.of("events"):
        known = family(fact.event_type)
        if fact.service == service and known and f"{known[0].entity} {known[0].verb}" == detail:
            found[fact.event_type] = known[1]
    return found


def _together(piece: Piece, suspects: Sequence[str]) -> list[tuple[str, list[str], int, int, str]]:
    """(service, types, how often they came together, in how many messages, one event)."""
    # Whole groups are looked at or left out, so what is seen of one is all of it.
    share = piece.one_in(MOST_EVENTS)
    return piece.select(
        f"""SELECT service, types, count(*), sum(n)::bigint, max(sample) FROM (
                SELECT coalesce(source, '') AS service, array_agg(DISTINCT event_type) AS types, count(*) AS n,
                    max(event_id COLLATE "C") AS sample
                FROM events_event WHERE {{piece}} AND event_type = ANY(%s)
                    AND (hashtext(coalesce(causation_id, correlation_id)) & {share - 1}) = 0
                GROUP BY coalesce(source, ''), coalesce(causation_id, correlation_id)
                HAVING count(DISTINCT event_type) >= {LEAST_TYPES}
                    AND max(occurred_at) - min(occurred_at) <= interval '{WITHIN}'
            ) AS groups GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {MOST_ROWS}""",  # noqa: S608 - constants
        list(suspects),
    )
