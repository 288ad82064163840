"""At most so many letters of one key within an interval, so that a job does not hit one saga with all of them."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec


class Candidate(msgspec.Struct, frozen=True):
    """A letter that waits to be sent: its retry, and its key (empty: it has none and is not held back)."""

    retry_id: int
    key: str
    size_bytes: int = 0


class KeyPace:
    """How often each key was sent of late. The one worker that drives a job keeps it in memory."""

    def __init__(self, cap: int, interval: timedelta) -> None:
        self._cap = cap
        self._interval = interval
        self._sent: deque[tuple[datetime, str]] = deque()
        self._counts: Counter[str] = Counter()

    def note(self, keys: Iterable[str], at: datetime) -> None:
        """These keys were sent at `at`, one letter each time it occurs; in the order of time."""
        for key in keys:
            if key:
                self._sent.append((at, key))
                self._counts[key] += 1

    def full(self, now: datetime) -> list[str]:
        """The keys of which nothing may be sent now."""
        self._forget(now)
        return [key for key, count in self._counts.items() if count >= self._cap]

    def choose(self, candidates: Sequence[Candidate], now: datetime) -> list[Candidate]:
        """Those of `candidates`, in their order, that may be sent now, all of them together."""
        self._forget(now)
        taken: Counter[str] = Counter()
        chosen = []
        for candidate in candidates:
            if candidate.key:
                if self._counts[candidate.key] + taken[candidate.key] >= self._cap:
                    continue
                taken[candidate.key] += 1
            chosen.append(candidate)
        return chosen

    def free_at(self, now: datetime) -> datetime | None:
        """When the first of the keys that are full may be sent again; None when none is full."""
        if not self.full(now):
            return None
        return next((at + self._interval for at, key in self._sent if self._counts[key] >= self._cap), None)

    def _forget(self, now: datetime) -> None:
        while self._sent and self._sent[0][0] <= now - self._interval:
            _, key = self._sent.popleft()
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]
