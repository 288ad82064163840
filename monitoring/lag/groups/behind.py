"""Lag as time: when did the log grow past the place where a consumer stands?

As kafka-lag-exporter does it: where a log ended is remembered with the time; between two points the log is taken to
have grown evenly, and before the first as fast as between the first and the last.
"""

from collections.abc import Sequence

import msgspec

# So many points are kept of a log; of older ones every second.
MOST_POINTS = 120


class End(msgspec.Struct, frozen=True, array_like=True):
    """Where a log ended at a moment (Unix seconds)."""

    at_s: float
    offset: int


def passed_at(ends: Sequence[End], offset: int) -> float | None:
    """When (Unix seconds) the message at `offset` was written; None where that cannot be told.

    `ends` ascend in time. The message at an offset was there as soon as the log ended after it.
    """
    after = next((n for n, end in enumerate(ends) if end.offset > offset), None)
    if after is None:
        return None
    if after > 0:
        return _between(ends[after - 1], ends[after], offset)
    first = ends[0]
    later = next((end for end in reversed(ends) if end.offset > first.offset), None)
    if later is None:
        return None
    return min(first.at_s, _between(first, later, offset))


def seconds_behind(ends: Sequence[End], position: int, messages: int | None, now_s: float) -> float | None:
    """How long the oldest message that waits has waited; 0 where none does, None where that cannot be told."""
    if messages is None:
        return None
    if messages == 0:
        return 0.0
    since = passed_at(ends, position)
    return None if since is None else max(0.0, now_s - since)


def note(ends: Sequence[End], end: End) -> list[End]:
    """The points with a new one; of a log that stands still the first and the last of it are enough."""
    points = list(ends)
    if points and end.offset < points[-1].offset:
        return [end]  # it was made anew
    if len(points) > 1 and points[-2].offset == points[-1].offset == end.offset:
        points.pop()
    points.append(end)
    if len(points) > MOST_POINTS:
        half = len(points) // 2
        points = points[:half:2] + points[half:]
    return points


def _between(a: End, b: End, offset: int) -> float:
    if a.offset == b.offset:
        return b.at_s
    return a.at_s + (offset - a.offset) / (b.offset - a.offset) * (b.at_s - a.at_s)
