"""Waiting before trying again: exponential with full jitter."""

import random

BASE_S = 0.5
CAP_S = 30.0


class Backoff:
    """The delays of one thing that keeps failing: ``random(0, min(cap, base · 2^attempt))``, at least a little."""

    def __init__(self) -> None:
        self.attempt = 0

    def next_delay_s(self) -> float:
        """How long to wait now, in seconds; longer each time until `reset`."""
        delay = random.uniform(0.1, min(CAP_S, BASE_S * 2**self.attempt))  # noqa: S311 - jitter, not a secret
        self.attempt = min(self.attempt + 1, 16)
        return delay

    def reset(self) -> None:
        """It works again."""
        self.attempt = 0
