"""When a failed delivery is tried again, and when it is given up: decided here, carried out elsewhere.

Exponential backoff with full jitter: before retry n (0, 1, 2, …) a handler waits a random time between nothing and
``min(cap, base · 2^n)`` seconds (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

import msgspec

from eventhub.handlers.errors import PermanentError, TemporaryError

# A float holds no larger power of two; any cap is reached long before.
MOST_DOUBLINGS = 1_000
# An error that asks for more than a week is not believed.
MOST_ASKED_S = 7 * 86_400.0
NEVER: Mapping[type[BaseException], "Retry | None"] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and how fast a handler's deliveries are tried again.

    Which errors count as temporary: ``TemporaryError``, those in `temporary`, and, unless `unexpected` is
    "dead_letter", every other one except ``PermanentError``. `overrides` gives a class of errors a policy of its own,
    or None: permanent. The most particular class counts. Raises ValueError for values that make no sense.
    """

    # Attempts in all, the first included.
    max_attempts: int = 5
    # Seconds: the longest wait before the first retry, doubled for each one after.
    base: float = 1.0
    # Seconds: no wait is longer.
    cap: float = 300.0
    temporary: tuple[type[BaseException], ...] = ()
    unexpected: Literal["retry", "dead_letter"] = "retry"
    overrides: Mapping[type[BaseException], "Retry | None"] = field(default_factory=lambda: NEVER)

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"Retry(max_attempts={self.max_attempts}): an event is tried at least once.")
        if not 0 <= self.base <= self.cap < float("inf"):
            raise ValueError(f"Retry(base={self.base}, cap={self.cap}): needs 0 ≤ base ≤ cap, in seconds.")
        if self.unexpected not in ("retry", "dead_letter"):
            raise ValueError(f'Retry(unexpected={self.unexpected!r}): say "retry" or "dead_letter".')


class Why(StrEnum):
    """Why a delivery is given up."""

    PERMANENT = "permanent"
    LAST_ATTEMPT = "last_attempt"


class RetryIn(msgspec.Struct, frozen=True):
    """Try again, not before `delay_s` seconds from now."""

    delay_s: float


class GiveUp(msgspec.Struct, frozen=True):
    """Make it a dead letter."""

    why: Why


Decision = RetryIn | GiveUp


def decide(policy: Retry, error: BaseException, attempt: int, roll: float) -> Decision:
    """What to do after `attempt` (1, 2, …) attempts of which the last failed with `error`.

    `roll` is the random number, from 0 up to 1, that the jitter is made of.
    """
    chosen = _policy_for(policy, error)
    if chosen is None:
        return GiveUp(Why.PERMANENT)
    if attempt >= chosen.max_attempts:
        return GiveUp(Why.LAST_ATTEMPT)
    delay_s = roll * longest_wait_s(chosen, attempt - 1)
    if isinstance(error, TemporaryError) and error.retry_after_s is not None:
        # No earlier than asked for; the jitter keeps those who were asked the same from coming all at once.
        delay_s += min(max(0.0, error.retry_after_s), MOST_ASKED_S)
    return RetryIn(delay_s)


def longest_wait_s(policy: Retry, retry: int) -> float:
    """``min(cap, base · 2^retry)`` in seconds; the first retry is number 0."""
    return float(min(policy.cap, policy.base * 2.0 ** min(retry, MOST_DOUBLINGS)))


def _policy_for(policy: Retry, error: BaseException) -> Retry | None:
    """The policy that counts for this error; None when it is permanent."""
    for kind in type(error).__mro__:
        if kind in policy.overrides:
            return policy.overrides[kind]
        if kind is PermanentError:
            return None
        if kind is TemporaryError or kind in policy.temporary:
            return policy
    return policy if policy.unexpected == "retry" else None
