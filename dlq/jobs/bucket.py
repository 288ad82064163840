"""A rate limit as a token bucket whose level is a row: it survives whoever was counting."""

from datetime import datetime, timedelta

import msgspec

# This much of a rate may go at once: what a second allows, and never less than one letter.
BURST_S = 1.0


class Bucket(msgspec.Struct, frozen=True):
    """How many letters may go at a moment; None: it was never filled."""

    tokens: float = 0.0
    at: datetime | None = None


class Taken(msgspec.Struct, frozen=True):
    """What `take` granted, the bucket after it, and how long until one more letter may go (0: now)."""

    granted: int
    bucket: Bucket
    wait_s: float


def take(bucket: Bucket, rate_per_s: float, wanted: int, now: datetime) -> Taken:
    """Take up to `wanted` letters from `bucket`.

    In any stretch of t seconds no more than `rate_per_s` · t + the burst are granted, whatever the clock does.
    """
    burst = max(1.0, rate_per_s * BURST_S)
    if bucket.at is None:
        tokens = burst
    else:
        passed_s = max(0.0, (now - bucket.at) / timedelta(seconds=1))
        tokens = min(burst, bucket.tokens + passed_s * rate_per_s)
    granted = min(wanted, int(tokens + 1e-9))
    left = max(0.0, tokens - granted)
    at = now if bucket.at is None else max(now, bucket.at)
    return Taken(granted, Bucket(left, at), max(0.0, (1.0 - left) / rate_per_s))
