"""How fast a source may be read: it is slowed to its limits, and what is not read yet waits with its broker."""

from time import monotonic

import msgspec

from eventhub.brokers.models import Source

# Waiting is done in pieces, so that stopping, pausing and another limit are noticed, and the broker keeps us.
WAIT_AT_ONCE_S = 0.5


class Limits(msgspec.Struct, frozen=True):
    """Of one worker; None: none."""

    events_per_s: float | None = None
    bytes_per_s: float | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is any."""
        return self.events_per_s is not None or self.bytes_per_s is not None


def limits_of(source: Source, workers: int) -> Limits:
    """A worker's part of what the source may have, among so many that read it."""
    share = max(1, workers)
    return Limits(
        source.max_events_per_s / share if source.max_events_per_s else None,
        source.max_bytes_per_s / share if source.max_bytes_per_s else None,
    )


class Quota:
    """The account of one source in one worker: each batch takes as long as its limits say it does."""

    def __init__(self, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self.limits = limits
        self._free_at = 0.0
        self._message_bytes = 0.0

    def most(self, batch: int) -> int:
        """How many messages to ask for: about a second's worth, so that nothing is paid off for long."""
        allowed = float(batch)
        if self.limits.events_per_s is not None:
            allowed = min(allowed, self.limits.events_per_s)
        if self.limits.bytes_per_s is not None and self._message_bytes:
            allowed = min(allowed, self.limits.bytes_per_s / self._message_bytes)
        return max(1, int(allowed))

    def take(self, messages: int, size_bytes: int, now: float | None = None) -> None:
        """Note a batch that was read."""
        if not self.limits.is_set or not messages:
            return
        now = monotonic() if now is None else now
        self._message_bytes = size_bytes / messages
        costs = [0.0]
        if self.limits.events_per_s is not None:
            costs.append(messages / self.limits.events_per_s)
        if self.limits.bytes_per_s is not None:
            costs.append(size_bytes / self.limits.bytes_per_s)
        self._free_at = max(now, self._free_at) + max(costs)

    def wait_s(self, now: float | None = None) -> float:
        """Seconds until the next batch may be read; 0 where no limit holds it."""
        if not self.limits.is_set:
            return 0.0
        return max(0.0, self._free_at - (monotonic() if now is None else now))
