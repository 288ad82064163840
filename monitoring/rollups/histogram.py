"""Sparse log-scaled histograms of durations: mergeable by adding counts, percentiles right to 2 %.

Bucket ``i`` holds the durations in (γ^(i-1), γ^i] seconds and stands for 2·γ^i / (γ+1), which is within α = 2 % of
every one of them, because γ = (1+α) / (1-α). A histogram is kept as two sequences of equal length: the bucket
numbers, ascending, and their counts.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

ACCURACY = 0.02
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(GAMMA)
# What is shorter (or negative: two clocks disagree) counts as this; what is longer as the other.
SHORTEST_S = 1e-6
LONGEST_S = 1e9
_FIRST = math.ceil(math.log(SHORTEST_S) / _LOG_GAMMA)
_LAST_INDEX = math.ceil(math.log(LONGEST_S) / _LOG_GAMMA) - _FIRST
# Looking a duration up among the bounds is faster than taking its logarithm.
_UPPER_BOUNDS = [GAMMA**bucket for bucket in range(_FIRST, _FIRST + _LAST_INDEX)]


def bucket_of(seconds: float) -> int:
    """The number of the bucket that holds a duration; fits a smallint."""
    return _FIRST + bisect_left(_UPPER_BOUNDS, seconds, 0, _LAST_INDEX)


def value_of(bucket: int) -> float:
    """The duration in seconds that a bucket stands for."""
    return float(2 * GAMMA**bucket / (GAMMA + 1))


def histogram(durations_s: Iterable[float]) -> tuple[list[int], list[int]]:
    """Bucket numbers and counts of some durations in seconds."""
    return _sorted(Counter(map(bucket_of, durations_s)))


def merge(histograms: Iterable[tuple[Sequence[int], Sequence[int]]]) -> tuple[list[int], list[int]]:
    """One histogram of everything in `histograms` (pairs of bucket numbers and counts)."""
    total: Counter[int] = Counter()
    for buckets, counts in histograms:
        for bucket, count in zip(buckets, counts, strict=True):
            total[bucket] += count
    return _sorted(total)


def percentile(buckets: Sequence[int], counts: Sequence[int], q: float) -> float | None:
    """The `q`-quantile (0…1, nearest rank) in seconds, or None of nothing. `buckets` must ascend."""
    rank = max(1, math.ceil(q * sum(counts)))
    seen = 0
    for bucket, count in zip(buckets, counts, strict=True):
        seen += count
        if seen >= rank:
            return value_of(bucket)
    return None


def _sorted(counter: Counter[int]) -> tuple[list[int], list[int]]:
    buckets = sorted(counter)
    return buckets, [counter[bucket] for bucket in buckets]
