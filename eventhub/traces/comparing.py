"""Two traces side by side: what both did, what only one did, and where they first parted. Pure."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import msgspec

from eventhub.traces.assemble import Step, Trace

# Longer traces are compared up to here: matching takes the square of it at worst.
MOST_COMPARED = 2_000


class Pair(msgspec.Struct, frozen=True):
    """A row of the comparison: the same station of both, or a station that only one has."""

    left: Step | None
    right: Step | None
    # How much longer the right one's hop took; None where they cannot be compared.
    later_s: float | None = None

    @property
    def same(self) -> bool:
        """Whether both have it."""
        return self.left is not None and self.right is not None

    @property
    def unlike(self) -> bool:
        """Both have it, and it went wrong in one of them only."""
        return self.left is not None and self.right is not None and self.left.failed != self.right.failed


class Divergence(msgspec.Struct, frozen=True):
    """Where two traces first part: what each did next, after the same event."""

    # The event type that both had before; "" at the very beginning.
    after: str
    left: Step | None
    right: Step | None
    row: int


class Comparison(msgspec.Struct, frozen=True):
    """Both traces in the order of time, aligned by event type."""

    rows: tuple[Pair, ...]
    divergence: Divergence | None
    truncated: bool


def compare(left: Trace, right: Trace) -> Comparison:
    """Align two traces by what happened in them, and find where they part."""
    ours, theirs = _in_order(left), _in_order(right)
    matcher = SequenceMatcher(None, [_key(s) for s in ours], [_key(s) for s in theirs], autojunk=False)
    rows: list[Pair] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            rows += [Pair(a, b, _later(a, b)) for a, b in zip(ours[i1:i2], theirs[j1:j2], strict=True)]
        else:
            rows += [Pair(step, None) for step in ours[i1:i2]] + [Pair(None, step) for step in theirs[j1:j2]]
    cut = len(left.steps) > MOST_COMPARED or len(right.steps) > MOST_COMPARED
    return Comparison(tuple(rows), _divergence(left, right, rows), cut)


def _in_order(trace: Trace) -> list[Step]:
    return sorted(trace.steps[:MOST_COMPARED], key=lambda step: (step.at, step.index))


def _key(step: Step) -> tuple[str, str]:
    return step.event_type, step.service or ""


def _later(left: Step, right: Step) -> float | None:
    return right.hop_s - left.hop_s if left.hop_s is not None and right.hop_s is not None else None


def _divergence(left: Trace, right: Trace, rows: Sequence[Pair]) -> Divergence | None:
    """Along causes, not along the clock: two branches that only came in another order have not parted."""
    row_of = {id(step): n for n, pair in enumerate(rows) for step in (pair.left, pair.right) if step}
    parted = [
        (n, pair)
        for n, pair in enumerate(rows)
        if (not pair.same and not _has_elsewhere(pair, left, right)) or pair.unlike
    ]
    if not parted:
        return None
    place, pair = parted[0]
    if pair.unlike:
        return Divergence(_cause(pair.left, left), pair.left, pair.right, place)
    after = _cause(pair.left, left) if pair.left else _cause(pair.right, right)
    other = _answer(after, left if pair.left is None else right, pair, left, right)
    mine, theirs = (pair.left, other) if pair.left else (other, pair.right)
    places = [row_of[id(step)] for step in (mine, theirs) if step is not None and id(step) in row_of]
    return Divergence(after, mine, theirs, min(places, default=place))


def _has_elsewhere(pair: Pair, left: Trace, right: Trace) -> bool:
    """Whether the other trace has the same event from the same cause, only at another time."""
    step, mine, other = (pair.left, left, right) if pair.left else (pair.right, right, left)
    assert step is not None
    wanted = (*_key(step), _cause(step, mine))
    return sum(_full(s, mine) == wanted for s in mine.steps) <= sum(
        _full(s, other) == wanted for s in other.steps
    )


def _answer(after: str, trace: Trace, pair: Pair, left: Trace, right: Trace) -> Step | None:
    """What the other trace did after the same cause that this one did not."""
    mine = right if trace is left else left
    known = {_key(step) for step in mine.steps}
    nexts = [step for step in trace.steps if _cause(step, trace) == after and _key(step) not in known]
    return min(nexts, key=lambda step: step.at, default=None)


def _full(step: Step, trace: Trace) -> tuple[str, str, str]:
    return (*_key(step), _cause(step, trace))


def _cause(step: Step | None, trace: Trace) -> str:
    return trace.steps[step.cause].event_type if step is not None and step.cause is not None else ""
