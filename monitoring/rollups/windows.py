"""Stretches of time to look at: the named ranges of the pages, and steps that fit them."""

from datetime import UTC, datetime, timedelta

import msgspec
from django.utils import timezone

# A chart is read best, and sent cheaply, at about this many points.
MOST_POINTS = 260
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


class Range(msgspec.Struct, frozen=True):
    """A range people choose: how it is called and how long it is."""

    name: str
    label: str
    seconds: int
    step_s: int


RANGES = {
    r.name: r
    for r in (
        Range("15m", "15 min", 900, 5),
        Range("1h", "1 h", 3600, 15),
        Range("6h", "6 h", 6 * 3600, 120),
        Range("24h", "24 h", 24 * 3600, 600),
        Range("7d", "7 d", 7 * 86400, 3600),
    )
}
DEFAULT_RANGE = "15m"


class Window(msgspec.Struct, frozen=True):
    """From `start` up to, not including, `end` in steps of `step_s` seconds; both are multiples of the step."""

    start: datetime
    end: datetime
    step_s: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()

    @property
    def times(self) -> list[int]:
        """Where each step begins, in Unix seconds."""
        return list(range(int(self.start.timestamp()), int(self.end.timestamp()), self.step_s))


def window_of(range_name: str, now: datetime | None = None) -> Window:
    """The window of a named range that ends now; an unknown name is the default range."""
    chosen = RANGES.get(range_name, RANGES[DEFAULT_RANGE])
    end = ceil_to(now or timezone.now(), chosen.step_s)
    return Window(end - timedelta(seconds=chosen.seconds), end, chosen.step_s)


def window_between(start: datetime, end: datetime, least_step_s: int = 1) -> Window:
    """A window that covers `start` to `end` with the finest step that keeps a chart readable."""
    seconds = max((end - start).total_seconds(), 1.0)
    step_s = next(
        (step for step in STEPS_S if step >= least_step_s and seconds / step <= MOST_POINTS), STEPS_S[-1]
    )
    return Window(floor_to(start, step_s), ceil_to(end, step_s), step_s)


def floor_to(at: datetime, step_s: int) -> datetime:
    """The last multiple of `step_s` seconds not after `at`."""
    return datetime.fromtimestamp(at.timestamp() // step_s * step_s, UTC)


def ceil_to(at: datetime, step_s: int) -> datetime:
    """The first multiple of `step_s` seconds not before `at`."""
    return datetime.fromtimestamp(-(-at.timestamp() // step_s) * step_s, UTC)
