"""The time axis of a waterfall: even where things happen, folded where nothing does.

A retry an hour after a flow of two seconds would press those two seconds into one pixel. So a silence that is much
longer than all that happens is drawn as a narrow fold, and says how long it was.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

import msgspec

# A silence is folded when it is this many times longer than all the time that is left unfolded, and long in itself:
# a slow hop is to be seen as the long bar that it is.
FOLD_FACTOR = 12.0
SHORTEST_FOLD_S = 10.0
MOST_FOLDS = 4
# A fold's share of the axis.
FOLD_WIDTH = 0.05
# About how many ticks an axis without folds has.
TICKS = 5


class Stretch(msgspec.Struct, frozen=True):
    """A part of the axis: seconds since the start, and where it lies (0…1)."""

    start_s: float
    end_s: float
    left: float
    right: float
    folded: bool

    @property
    def length_s(self) -> float:
        """How long it lasted, in seconds."""
        return self.end_s - self.start_s

    @property
    def left_percent(self) -> float:
        """Where it begins, in percent of the axis."""
        return round(self.left * 100, 2)

    @property
    def width_percent(self) -> float:
        """How wide it is drawn."""
        return round((self.right - self.left) * 100, 2)

    @property
    def middle(self) -> float:
        """Where its label goes."""
        return round((self.left + self.right) * 50, 2)


class Tick(msgspec.Struct, frozen=True):
    """A mark on the axis."""

    at: float
    seconds: float

    @property
    def percent(self) -> float:
        """Where it lies, in percent of the axis."""
        return round(self.at * 100, 2)


class Scale(msgspec.Struct, frozen=True):
    """Maps moments to 0…1."""

    start: datetime
    stretches: tuple[Stretch, ...]
    ticks: tuple[Tick, ...]

    def place(self, at: datetime) -> float:
        """Where a moment lies; what is outside lies on the edge."""
        return _place(self.stretches, (at - self.start).total_seconds())

    @property
    def folds(self) -> list[Stretch]:
        """The silences that were folded."""
        return [stretch for stretch in self.stretches if stretch.folded]


def scale_of(moments: Iterable[datetime]) -> Scale:
    """The axis for things that happen at these moments (at least one)."""
    ordered = sorted(set(moments))
    start = ordered[0]
    seconds = [(at - start).total_seconds() for at in ordered]
    stretches = _stretches(seconds)
    return Scale(start, stretches, _ticks(stretches))


def _stretches(seconds: list[float]) -> tuple[Stretch, ...]:
    total = seconds[-1]
    if total <= 0:
        return (Stretch(0.0, 0.0, 0.0, 1.0, False),)
    folded = _folded_gaps(seconds)
    # What lies between folds keeps some room, also a single moment.
    room = FOLD_WIDTH if folded else 0.0
    shared = 1 - FOLD_WIDTH * len(folded) - room * (len(folded) + 1)
    bounds = [0.0, *(edge for fold in folded for edge in fold), total]
    # Added up, not subtracted: beside a fold of days the microseconds between would be lost.
    open_s = sum(end - begin for begin, end in list(pairwise(bounds))[::2])
    found: list[Stretch] = []
    left = 0.0
    for number, (begin, end) in enumerate(pairwise(bounds)):
        is_fold = number % 2 == 1
        right = left + (FOLD_WIDTH if is_fold else room + shared * (end - begin) / open_s)
        found.append(Stretch(begin, end, left, min(right, 1.0), is_fold))
        left = right
    return tuple(found)


def _folded_gaps(seconds: list[float]) -> list[tuple[float, float]]:
    """The most silences of which each is long beside what stays open; in order of time."""
    gaps = sorted(pairwise(seconds), key=lambda gap: gap[0] - gap[1])[:MOST_FOLDS]
    left, chosen = seconds[-1], 0
    for number, (start, end) in enumerate(gaps, 1):
        left -= end - start
        # With nothing left open the silence itself is what there is to see.
        if left > 1e-6 and end - start >= max(FOLD_FACTOR * left, SHORTEST_FOLD_S):
            chosen = number
    return sorted(gaps[:chosen])


def _place(stretches: tuple[Stretch, ...], seconds: float) -> float:
    index = max(0, bisect_right([stretch.start_s for stretch in stretches], seconds) - 1)
    stretch = stretches[index]
    length = stretch.end_s - stretch.start_s
    share = (seconds - stretch.start_s) / length if length > 0 else 0.5
    return stretch.left + (stretch.right - stretch.left) * min(1.0, max(0.0, share))


def _ticks(stretches: tuple[Stretch, ...]) -> tuple[Tick, ...]:
    """Round times, as many as there is room for, counted anew after each fold from the trace's start."""
    ticks: list[Tick] = []
    for stretch in stretches:
        width = stretch.right - stretch.left
        if stretch.folded or width < 0.08:
            continue
        step = _round_step((stretch.end_s - stretch.start_s) / max(1.0, TICKS * width))
        number = math.ceil(stretch.start_s / step - 1e-9)
        while (seconds := number * step) <= stretch.end_s + step * 1e-9 and len(ticks) < 40:
            ticks.append(Tick(_place((stretch,), seconds), seconds))
            number += 1
    return tuple(ticks)


def _round_step(seconds: float) -> float:
    """The next step that people count in."""
    for step in (60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400):
        if seconds <= step and seconds > 30:
            return float(step)
    if seconds > 86_400:
        return 86_400.0 * math.ceil(seconds / 86_400)
    if seconds <= 0:
        return 0.001
    magnitude = 10.0 ** math.floor(math.log10(seconds))
    return next(factor * magnitude for factor in (1, 2, 5, 10) if seconds <= factor * magnitude * (1 + 1e-9))
