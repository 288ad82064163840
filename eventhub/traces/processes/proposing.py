"""Proposing a process from what was mined: its steps, its end, what undoes what. A person decides."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from eventhub.pages.hues import entity
from eventhub.traces.models import Process, ProcessStep, Role, Variant
from eventhub.traces.outcome import words_of
from eventhub.traces.processes.standing import PlannedStep
from monitoring.rollups.histogram import merge, percentile

# A step belongs to the process when so many of the traces that end well have it.
CORE_SHARE = 0.6
MOST_VARIANTS = 200
_ENDINGS = frozenset(
    {"completed", "complete", "finished", "closed", "fulfilled", "delivered", "done", "settled"}
)
_ABORTS = frozenset({"cancelled", "canceled", "aborted", "terminated", "abandoned", "closed"})


class Way(msgspec.Struct, frozen=True):
    """A variant as (depth, event type) stations, and how often it was taken."""

    stations: tuple[tuple[int, str], ...]
    count: int

    @property
    def types(self) -> set[str]:
        """What it holds."""
        return {name for _, name in self.stations}

    def cause_of(self, event_type: str) -> str:
        """What caused it there; empty for the first."""
        above: list[str] = []
        for depth, name in self.stations:
            del above[depth:]
            if name == event_type:
                return above[-1] if above else ""
            above.append(name)
        return ""

    def chain_to(self, event_type: str) -> list[str]:
        """The types that led there, the first one first, itself included."""
        above: list[str] = []
        for depth, name in self.stations:
            del above[depth:]
            above.append(name)
            if name == event_type:
                return above
        return []


class Proposal(msgspec.Struct, frozen=True):
    """A process as it might be named."""

    start_type: str
    steps: tuple[PlannedStep, ...]
    deadline_s: float | None


def propose(start_type: str) -> Proposal:
    """What the variants that begin with this type suggest; no steps where nothing was seen."""
    variants = list(
        Variant.objects.filter(start_type=start_type, count__gt=0).order_by("-count")[:MOST_VARIANTS]
    )
    ways = [Way(tuple((depth, name) for depth, name, *_ in v.path), v.count) for v in variants]
    steps = steps_of(start_type, ways)
    end = next((step.event_type for step in steps if step.role == Role.END), "")
    ended = [v for v, way in zip(variants, ways, strict=True) if end in way.types]
    p99_s = percentile(*merge((v.buckets, v.counts) for v in ended), 0.99) if ended else None
    return Proposal(start_type, tuple(steps), round(max(60.0, 3 * p99_s)) if p99_s else None)


def steps_of(start_type: str, ways: Sequence[Way]) -> list[PlannedStep]:
    """The steps that these ways suggest. Pure."""
    if not ways or not (end := _end(start_type, ways)):
        return []
    with_end = [way for way in ways if end in way.types]
    without = [way for way in ways if end not in way.types]
    chain = max(with_end, key=lambda way: way.count).chain_to(end)
    chain = list(dict.fromkeys(name for name in chain if name != start_type))
    steps = [
        PlannedStep(
            event_type=name,
            role=Role.END if name == end else Role.STEP,
            after=chain[place - 1] if place else start_type,
        )
        for place, name in enumerate(chain)
    ]
    ordinary = set().union(*(way.types for way in with_end))
    return steps + _undoing([start_type, *chain], ordinary, without)


def _end(start_type: str, ways: Sequence[Way]) -> str:
    """The type that most traces end well with: by its name, else the last of what most of them have."""
    total = sum(way.count for way in ways)
    having: Counter[str] = Counter()
    for way in ways:
        for name in way.types - {start_type}:
            having[name] += way.count
    often = [name for name, count in having.items() if count >= CORE_SHARE * total]
    # A busy failure makes fewer of them; then whatever ends by its name.
    named = [name for name in having if _ENDINGS.intersection(words_of(name)[-1:])]
    if named:
        return max(named, key=lambda name: (entity(name) == entity(start_type), having[name]))
    if not often:
        return ""
    main = max(ways, key=lambda way: way.count)
    depths = {name: depth for depth, name in main.stations}
    return max(often, key=lambda name: (depths.get(name, -1), having[name]))


def _undoing(chain: Sequence[str], ordinary: set[str], ways: Sequence[Way]) -> list[PlannedStep]:
    """What comes only where the end does not: what failed, what undoes a step, and what ends the undoing."""
    extra: Counter[str] = Counter()
    causes: dict[str, Counter[str]] = {}
    has_more: set[str] = set()
    for way in ways:
        only_here = way.types - ordinary
        for name in only_here:
            extra[name] += way.count
            cause = way.cause_of(name)
            causes.setdefault(name, Counter())[cause] += way.count
            if cause in only_here:
                has_more.add(cause)
    found = []
    for name, _ in extra.most_common():
        cause = causes[name].most_common(1)[0][0]
        undoes = next((done for done in reversed(chain[1:]) if entity(done) == entity(name)), "")
        if cause in ordinary or not cause:
            if name not in has_more:
                continue  # a side branch that happened to be on the way of what did not end
            found.append(PlannedStep(event_type=name, role=Role.FAILURE, after=cause))
        elif name not in has_more and (_ABORTS.intersection(words_of(name)[-1:]) or not undoes):
            found.append(PlannedStep(event_type=name, role=Role.ABORT, after=cause))
        elif undoes:
            found.append(PlannedStep(event_type=name, role=Role.COMPENSATION, after=cause, undoes=undoes))
    order = {Role.FAILURE: 0, Role.COMPENSATION: 1, Role.ABORT: 2}
    return sorted(found, key=lambda step: order[Role(step.role)])


def name_process(name: str, proposal: Proposal) -> Process:
    """Keep a proposal under a name; it can be changed in the admin."""
    process = Process.objects.create(
        name=name, start_type=proposal.start_type, deadline_s=proposal.deadline_s
    )
    ProcessStep.objects.bulk_create(
        [
            ProcessStep(
                process=process,
                order=place,
                event_type=step.event_type,
                role=step.role,
                after=step.after,
                within_s=step.within_s,
                undoes=step.undoes,
            )
            for place, step in enumerate(proposal.steps)
        ]
    )
    return process
