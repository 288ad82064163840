"""Types without a version, versions that jump, and shapes that change under the same version."""

from collections import defaultdict
from collections.abc import Iterable

from monitoring.models import SeenVersion
from monitoring.review.facts import Counted, Fact, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, event_type, events
from monitoring.review.sampling import latest
from monitoring.review.shapes import fields
from monitoring.review.vanishing import Gone, gone, presence

BARE, SEEN, FIELD = "version.none", "version.seen", "version.field"
LEAST = 3
LEAST_SHARE = 0.01


class Versions(Rule):
    """Counts versions, and compares the fields of events of the same version."""

    key = "versions"
    title = "Versions that say nothing"
    severity = Severity.FLAW

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Events without a version, the versions seen, and the fields of a sample by version and presence."""
        for one in piece.traffic:
            if one.version is None:
                yield Counted(BARE, one.n, one.service, one.event_type)
            else:
                yield Counted(SEEN, one.n, one.service, one.event_type, one.version)
        seen = fields(piece)
        yield from presence(piece, seen)
        for field in seen:
            if field.kind == "null":  # says nothing about what it is otherwise
                continue
            detail = f"{field.version} {field.kind} {field.name}"
            yield Counted(FIELD, field.n, field.service, field.event_type, detail, [field.sample])

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding a service without versions, one a type that jumps, changes or loses fields unsaid."""
        yield from _without(facts)
        yield from _jumps(facts)
        yield from _changes(facts)
        yield from _losses(facts)


def _without(facts: Facts) -> Iterable[Verdict]:
    sent = facts.total("events", "service")
    for (service,), fact in facts.total(BARE, "service").items():
        of = sent[service,].n if (service,) in sent else fact.n
        if fact.n < LEAST or fact.n / of < LEAST_SHARE:
            continue
        types = sorted({one.event_type for one in facts.of(BARE) if one.service == service})
        yield Verdict(
            service=service,
            subject="no version",
            title=f"{service or 'An unnamed service'} publishes events without a version",
            detail=f"{fact.n} of {of} events: {', '.join(types[:5])}.",
            advice="Give every event an event_version, “1” to begin with, and a new one with each change of its shape. "
            "Without it a consumer cannot tell which shape it holds, and nothing can ever be upcast.",
            n=fact.n,
            of=of,
            evidence=[event_type(types[0]), *latest(types[0], "no version")],
            first_at=fact.first_at,
            last_at=fact.last_at,
        )


def _jumps(facts: Facts) -> Iterable[Verdict]:
    seen: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts.of(SEEN):
        seen[fact.event_type].append(fact)
    known: dict[str, set[str]] = defaultdict(set)
    for name, version in SeenVersion.objects.filter(event_type__in=seen).values_list("event_type", "version"):
        known[name].add(version)
    for name, found in seen.items():
        versions = {fact.detail for fact in found} | known[name]
        numbers = sorted({int(version) for version in versions if version.isdecimal() and len(version) < 9})
        missing = [
            one for one in range(numbers[0], numbers[-1]) if one not in numbers
        ][:5] if len(numbers) > 1 and numbers[-1] - numbers[0] < 1_000 else []  # fmt: skip
        if not missing:
            continue
        newest = max(found, key=lambda fact: int(fact.detail) if fact.detail.isdecimal() else -1)
        yield Verdict(
            service=newest.service,
            subject=f"{name} jumps",
            title=f"{name} jumps from version {missing[0] - 1} to {numbers[-1]}",
            detail=f"Versions {', '.join(map(str, numbers))} were seen, and never {', '.join(map(str, missing))}.",
            advice="Count versions up by one. Upcasters go from each version to the next, and readers "
            "look for the one in "
            "between.",
            n=newest.n,
            evidence=[event_type(name), *latest(name)],
            first_at=newest.first_at,
            last_at=newest.last_at,
            severity=Severity.ADVICE,
        )


def _changes(facts: Facts) -> Iterable[Verdict]:
    """Fields that are one kind of value in some events of a version, and another kind in others."""
    kinds: dict[tuple[str, str, str, str], dict[str, Fact]] = defaultdict(dict)
    for fact in facts.of(FIELD):
        version, kind, name = fact.detail.split(" ", 2)
        kinds[fact.service, fact.event_type, version, name][kind] = fact
    changed: dict[tuple[str, str, str], list[tuple[str, dict[str, Fact]]]] = defaultdict(list)
    for (service, event, version, name), found in kinds.items():
        total = sum(fact.n for fact in found.values())
        often = {
            kind: fact for kind, fact in found.items() if fact.n >= LEAST and fact.n / total >= LEAST_SHARE
        }
        if len(often) > 1:
            changed[service, event, version].append((name, often))
    for (service, event, version), found_fields in changed.items():
        told = [f"{name} is {' or '.join(sorted(found))}" for name, found in sorted(found_fields)]
        every = [fact for _, found in found_fields for fact in found.values()]
        rarest = min(every, key=lambda fact: fact.n)
        yield Verdict(
            service=service,
            subject=f"{event} changes",
            title=f"{service or 'An unnamed service'} changes the shape of {event} and keeps its version",
            detail=f"In version {version or '(none)'}: {'; '.join(told)}.",
            advice="A change that a reader can trip over is a new version: publish the new shape under "
            "the next number, both "
            "for a while, and give the catalogue an upcaster.",
            n=rarest.n,
            evidence=[event_type(event), *events(one for fact in every for one in fact.samples[:2])],
            first_at=rarest.first_at,
            last_at=rarest.last_at,
        )


def _losses(facts: Facts) -> Iterable[Verdict]:
    """Fields that all events of a version had, and that none has any more."""
    lost: dict[tuple[str, str, str], list[Gone]] = defaultdict(list)
    for one in gone(facts):
        lost[one.service, one.event_type, one.version].append(one)
    for (service, event, version), fields_gone in lost.items():
        names = sorted(one.name for one in fields_gone)
        before = [one.had.samples[0] for one in fields_gone if one.had.samples]
        since = [one.lacks.samples[0] for one in fields_gone if one.lacks.samples]
        latest_loss = max(fields_gone, key=lambda one: one.lacks.last_at)
        yield Verdict(
            service=service,
            subject=f"{event} loses fields",
            title=f"{service or 'An unnamed service'} drops {_listed(names)} from {event} and keeps its version",
            detail=f"In version {version or '(none)'}: all events had {_listed(names)}, and none of the latest "
            f"{latest_loss.lacks.n} looked at has.",
            advice="Who reads the field stumbles, and nothing told it: publish the shape without it under the next "
            "number, the old one beside it until nobody reads the field, and give the catalogue an upcaster.",
            n=latest_loss.lacks.n,
            evidence=[
                event_type(event),
                *events(before[:2], "had it"),
                *events(since[:2], "has it no more"),
            ],
            first_at=min(one.lacks.first_at for one in fields_gone),
            last_at=latest_loss.lacks.last_at,
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
