"""Whether a consumer keeps up, judged by what it does and not by a threshold.

The rules are Burrow's (https://github.com/linkedin/Burrow/wiki/Consumer-Lag-Evaluation-Rules): a sliding window of the
last commits of one partition is looked at, in the order in which the rules stand in `judge`.
"""

import itertools
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

import msgspec

T = TypeVar("T")

# As many commits make a window. With fewer, only what cannot change any more is told.
WINDOW = 10
# A consumer that was not heard of for so long has stopped, also when too little was seen of it before.
PATIENCE_S = 60.0


class Status(StrEnum):
    """How a consumer of a partition, a group, or a queue stands; the words are those of the pages."""

    OK = "ok"
    # Not known: nothing was committed yet, or who asks may not know.
    UNKNOWN = "unknown"
    # Watched for too short a time to be judged.
    WATCHING = "watching"
    # It reads, and what waits never became less.
    WARNING = "falling behind"
    # It is there and commits, and does not get on.
    STALLED = "stalled"
    # It does not commit any more.
    STOPPED = "stopped"
    # It went back.
    REWOUND = "rewound"

    @property
    def level(self) -> str:
        """The state a page paints it in: ok, busy, broken (Burrow's ERROR) or unknown."""
        if self in (Status.STALLED, Status.STOPPED, Status.REWOUND):
            return "broken"
        if self is Status.WARNING:
            return "busy"
        return "ok" if self is Status.OK else "unknown"


# From the best to the worst: a group is as bad as its worst partition.
ORDER = tuple(Status)


class Commit(msgspec.Struct, frozen=True, array_like=True):
    """A consumer said how far it is: the offset, when (Unix seconds), and how many messages waited then."""

    offset: int
    at_s: float
    lag: int


class Depth(msgspec.Struct, frozen=True, array_like=True):
    """What waited in a queue at a moment (Unix seconds), and whether somebody was there to read; None: not known."""

    messages: int
    at_s: float
    has_readers: bool | None


def judge(window: Sequence[Commit], lag: int | None, now_s: float) -> Status:
    """How the consumer of a partition stands, from its last commits (the oldest first) and what waits now."""
    if lag is None:
        return Status.UNKNOWN
    if lag == 0:
        return Status.OK
    if not window:
        return Status.WATCHING
    if any(later.offset < earlier.offset for earlier, later in _pairs(window)):
        return Status.REWOUND
    if len(window) < WINDOW:
        # Who moved a few times and then no more never fills a window.
        quiet_s = now_s - window[-1].at_s
        is_quiet = quiet_s > max(PATIENCE_S, window[-1].at_s - window[0].at_s)
        return Status.STOPPED if is_quiet else Status.WATCHING
    if any(commit.lag == 0 for commit in window):
        return Status.OK
    if now_s - window[-1].at_s > window[-1].at_s - window[0].at_s:
        return Status.STOPPED
    if window[0].offset == window[-1].offset:  # they never fall here
        return Status.STALLED
    if all(later.lag >= earlier.lag for earlier, later in _pairs(window)):
        return Status.WARNING
    return Status.OK


def judge_queue(window: Sequence[Depth], messages: int | None) -> Status:
    """How the readers of a queue stand, where the broker numbers no messages: the same rules, told by its depth."""
    if messages is None:
        return Status.UNKNOWN
    if messages == 0:
        return Status.OK
    if len(window) < WINDOW:
        return Status.WATCHING
    if any(depth.messages == 0 for depth in window):
        return Status.OK
    if all(depth.has_readers is False for depth in window):
        return Status.STOPPED
    if all(depth.messages == window[0].messages for depth in window):
        return Status.STALLED
    if all(later.messages >= earlier.messages for earlier, later in _pairs(window)):
        return Status.WARNING
    return Status.OK


def note(window: Sequence[Commit], commit: Commit, *, is_alive: bool) -> list[Commit]:
    """The window after looking at a consumer again.

    Brokers tell where a consumer stands, not when it said so. It did when it moved; and a member that holds the
    partition and stays where it is commits the same offset again and again. What nobody holds is not committed, and
    its window grows old.
    """
    if window and window[-1].offset == commit.offset and not is_alive:
        return list(window)
    return [*window, commit][-WINDOW:]


def worst(statuses: Iterable[Status]) -> Status:
    """That of the worst part."""
    return max(statuses, key=ORDER.index, default=Status.UNKNOWN)


def _pairs(window: Sequence[T]) -> Iterable[tuple[T, T]]:
    return itertools.pairwise(window)
