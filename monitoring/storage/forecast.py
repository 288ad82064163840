"""When the disk is full: from what was added on each of the last days, and whether that becomes more."""

from collections.abc import Sequence
from math import sqrt

import msgspec

# With fewer days than these no trend is read out of them.
FEWEST_DAYS = 4
# Beyond this nothing sensible can be said.
MOST_DAYS = 3_650.0


class Forecast(msgspec.Struct, frozen=True):
    """What is to be expected."""

    # Added a day now.
    per_day_bytes: float
    # So much more each day than the day before; 0 where no trend was found.
    trend_bytes: float
    # Until nothing is free; None: not within ten years, or nobody said how large the disk is.
    full_in_days: float | None


def forecast(added: Sequence[float], free_bytes: float | None) -> Forecast:
    """Of bytes that were added on each of the last whole days, the oldest first.

    A trend counts where it is upwards and large: a quiet weekend does not make a disk last for ever.
    """
    if not added:
        return Forecast(0.0, 0.0, None)
    mean = sum(added) / len(added)
    slope = _slope(added) if len(added) >= FEWEST_DAYS else 0.0
    trend = slope if slope > 0 and slope * len(added) > mean / 10 else 0.0
    # With a trend, where its line stands today; without one, the mean.
    now = mean + trend * (len(added) + 1) / 2 if trend else mean
    return Forecast(now, trend, None if free_bytes is None else _days(free_bytes, now, trend))


def in_days(told: Forecast) -> str:
    """The forecast as a person would say it: "full in 23 days"."""
    days = told.full_in_days
    if days is None:
        return "not full within ten years"
    if days < 1:
        return "full within a day" if days > 0 else "full"
    return f"full in {days:.0f} days" if days >= 1.5 else "full in a day"


def _days(free: float, per_day: float, trend: float) -> float | None:
    """When per_day·t + trend·t²/2 has reached `free`."""
    if free <= 0:
        return 0.0
    if per_day <= 0:
        return None
    # The form without the difference of two nearly equal numbers.
    days = 2 * free / (per_day + sqrt(per_day**2 + 2 * trend * free)) if trend else free / per_day
    return days if days <= MOST_DAYS else None


def _slope(values: Sequence[float]) -> float:
    """Of the line of least squares, per step."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((n - middle) ** 2 for n in range(count))
    return sum((n - middle) * (value - mean) for n, value in enumerate(values)) / spread
