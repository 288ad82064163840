"""Stretches of time to look at, in steps that fit them."""

from datetime import UTC, datetime

import msgspec

# A chart is read best, and sent cheaply, at about this many points.
MOST_POINTS = 260
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


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
