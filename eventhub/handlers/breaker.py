"""The circuit breaker: a handler that fails on everything is stopped before it empties its retries into the dead
letters, and is tried again with one delivery now and then.

Everything here is decided from values and carried out elsewhere. Only first attempts count towards opening, so one bad
event that is retried many times opens nothing; a success of any attempt closes the count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

MOST_DOUBLINGS = 30


class Circuit(StrEnum):
    """`open`: nothing runs. `half_open`: one delivery runs, as a probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """When a handler is stopped, and how often it is probed then. Raises ValueError for values that make no sense."""

    # Deliveries whose first attempts failed one after the other, with no success among them.
    after: int = 20
    # Seconds until the first probe, doubled after each that fails, up to `cap_s`.
    probe_s: float = 10.0
    cap_s: float = 300.0

    def __post_init__(self) -> None:
        if self.after < 2:
            raise ValueError(f"Breaker(after={self.after}): needs at least 2, or leave the breaker out.")
        if not 0 < self.probe_s <= self.cap_s < float("inf"):
            raise ValueError(
                f"Breaker(probe_s={self.probe_s}, cap_s={self.cap_s}): needs 0 < probe_s ≤ cap_s."
            )


class Standing(msgspec.Struct, frozen=True):
    """Where a breaker stands."""

    circuit: Circuit = Circuit.CLOSED
    # First attempts that failed since the last success.
    failures: int = 0
    # Probes that failed since it opened.
    failed_probes: int = 0
    opened_at: datetime | None = None
    # When the next probe may run; while one runs, when another may take its place.
    probe_at: datetime | None = None


class Ran(msgspec.Struct, frozen=True):
    """One attempt that ended."""

    succeeded: bool
    is_first: bool


def after(policy: Breaker | None, standing: Standing, ran: Sequence[Ran], now: datetime) -> Standing:
    """Where the breaker stands after these attempts, in the order in which they ended."""
    if policy is None:
        return Standing()
    for attempt in ran:
        if attempt.succeeded:
            standing = Standing()
        elif standing.circuit is Circuit.HALF_OPEN:
            standing = _opened(policy, standing, now, failed_probes=standing.failed_probes + 1)
        elif attempt.is_first:
            standing = msgspec.structs.replace(standing, failures=standing.failures + 1)
            if standing.circuit is Circuit.CLOSED and standing.failures >= policy.after:
                standing = _opened(policy, standing, now, failed_probes=0)
    return standing


def may_probe(standing: Standing, now: datetime) -> bool:
    """Whether it is time for a probe: it is open and has waited, or a probe was never heard of again."""
    return standing.circuit is not Circuit.CLOSED and (standing.probe_at is None or standing.probe_at <= now)


def probing(standing: Standing, now: datetime, longest: timedelta) -> Standing:
    """Half open: one probe runs now, and counts as lost when it is not heard of for `longest`."""
    return msgspec.structs.replace(standing, circuit=Circuit.HALF_OPEN, probe_at=now + longest)


def wait_s(policy: Breaker, failed_probes: int) -> float:
    """How long it stays open before the next probe, in seconds."""
    return float(min(policy.cap_s, policy.probe_s * 2.0 ** min(failed_probes, MOST_DOUBLINGS)))


def _opened(policy: Breaker, standing: Standing, now: datetime, *, failed_probes: int) -> Standing:
    return Standing(
        circuit=Circuit.OPEN,
        failures=standing.failures,
        failed_probes=failed_probes,
        opened_at=standing.opened_at or now,
        probe_at=now + timedelta(seconds=wait_s(policy, failed_probes)),
    )
