"""The way a trace took, so that traces that took the same way count together."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from eventhub.traces.assemble import Step, Trace

# Longer ways are cut; what repeats is told once, so this is seldom reached.
MOST_STATIONS = 80
LONGEST_NAME = 300


class Station(msgspec.Struct, frozen=True, array_like=True):
    """One event type on the way: how many causes it has above it, and how often it came there in the same manner."""

    depth: int
    event_type: str
    times: int = 1


class Path(msgspec.Struct, frozen=True):
    """The whole way. Two traces with the same `digest` took the same one."""

    start_type: str
    stations: tuple[Station, ...]
    digest: str


def path_of(trace: Trace) -> Path | None:
    """The way of a trace, whatever the order in which equal branches came; None where no event was stored."""
    steps = [step for step in trace.steps if step.event is not None]
    if not steps:
        return None
    stations = tuple(_stations(steps)[:MOST_STATIONS])
    digest = blake2b(msgspec.json.encode(stations), digest_size=16).hexdigest()
    return Path(_start(steps).event_type[:LONGEST_NAME], stations, digest)


def _start(steps: Sequence[Step]) -> Step:
    roots = [step for step in steps if step.cause is None]
    return min(roots or steps, key=lambda step: (step.at, step.index))


def _stations(steps: Sequence[Step]) -> list[Station]:
    """The tree with siblings in the order of their names and equal ones counted; no recursion, chains may be long."""
    children: dict[int | None, list[Step]] = {}
    kept = {step.index for step in steps}
    for step in steps:
        children.setdefault(step.cause if step.cause in kept else None, []).append(step)
    # A branch's signature, leaves first: steps stand after their causes.
    signature: dict[int, str] = {}
    for step in reversed(steps):
        below = sorted(signature[child.index] for child in children.get(step.index, ()))
        text = "\x1f".join([step.event_type, *below])
        signature[step.index] = f"{step.event_type}\x1e{blake2b(text.encode(), digest_size=8).hexdigest()}"
    found: list[Station] = []
    pending = [(0, level) for level in reversed(_grouped(children.get(None, []), signature))]
    while pending and len(found) < MOST_STATIONS:
        depth, (step, times) = pending.pop()
        found.append(Station(depth, step.event_type[:LONGEST_NAME], times))
        below_it = _grouped(children.get(step.index, []), signature)
        pending.extend((depth + 1, level) for level in reversed(below_it))
    return found


def _grouped(siblings: Sequence[Step], signature: dict[int, str]) -> list[tuple[Step, int]]:
    groups: dict[str, list[Step]] = {}
    for step in siblings:
        groups.setdefault(signature[step.index], []).append(step)
    return [(groups[name][0], len(groups[name])) for name in sorted(groups)]
