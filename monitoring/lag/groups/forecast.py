"""Where a backlog is going, from its trend: drained in 12 minutes, or growing and full by 14:20."""

from collections.abc import Sequence
from typing import Literal

import msgspec

# A trend wants this much of the past, and looks at no more than the longest.
LEAST_POINTS = 4
LEAST_S = 15.0
LONGEST_S = 600.0
# What changes by less than this share of the backlog in a minute stands still.
STILL = 0.01
# Nobody plans further ahead.
HORIZON_S = 7 * 86_400.0


class Forecast(msgspec.Struct, frozen=True):
    """What becomes of a backlog. `in_s`: seconds until it is drained, or until the queue is full."""

    kind: Literal["empty", "drains", "grows", "fills", "steady", "unknown"]
    per_s: float = 0.0
    in_s: float | None = None


def growth_per_s(points: Sequence[tuple[float, int]]) -> float | None:
    """Messages a second by which a backlog grows (or shrinks), the least squares' line through (time, messages)."""
    if not points:
        return None
    recent = [(at, messages) for at, messages in points if at >= points[-1][0] - LONGEST_S]
    if len(recent) < LEAST_POINTS or recent[-1][0] - recent[0][0] < LEAST_S:
        return None
    mean_at = sum(at for at, _ in recent) / len(recent)
    mean = sum(messages for _, messages in recent) / len(recent)
    spread = sum((at - mean_at) ** 2 for at, _ in recent)
    return sum((at - mean_at) * (messages - mean) for at, messages in recent) / spread


def forecast(messages: int | None, per_s: float | None, capacity: int | None = None) -> Forecast:
    """What becomes of `messages` that grow by `per_s`; `capacity` is how many the broker keeps, where it is bounded."""
    if messages == 0:
        return Forecast("empty")
    if messages is None or per_s is None:
        return Forecast("unknown")
    if abs(per_s) * 60 < STILL * messages:
        return Forecast("steady", per_s)
    if per_s < 0:
        in_s = messages / -per_s
        return Forecast("drains", per_s, in_s if in_s < HORIZON_S else None)
    if capacity is not None:
        in_s = max(0.0, capacity - messages) / per_s
        if in_s < HORIZON_S:
            return Forecast("fills", per_s, in_s)
    return Forecast("grows", per_s)
