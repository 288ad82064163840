"""What a day of so many events asks of an installation: the arithmetic and the simulation behind docs/scale.md.

    python -m benchmarks.sizing       # prints the page's table

Measured figures stand at the top, each with where it comes from. Everything else is worked out from them.
"""

import math
from dataclasses import dataclass

# docs/performance.md, `ingest-kafka`: one worker, small events, PostgreSQL and Kafka on the same two cores.
WORKER_PER_S = 56_809
# The demo shop's first 20,047 events: 182 bytes of payload and 139 of headers and metadata as text, on average.
TABLE_BYTES = 619
INDEX_BYTES = 235

# Assumed, and said so on the page.
PEAK = 3.0  # the busiest minute, as a multiple of the day's mean
HEADROOM = 0.6  # of a worker's measured rate, for larger events and a database that has other work
DAY_S = 86_400
PARTITION_PER_S = 5_000  # what one partition of Kafka is planned for


def _steepness() -> float:
    """The power of the sine whose mean is 1/PEAK of its highest value, by bisection."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = sum(math.sin(math.pi * (n + 0.5) / 500) ** middle for n in range(500)) / 500
        low, high = (middle, high) if mean > 1 / PEAK else (low, middle)
    return low


STEEPNESS = _steepness()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An installation for so many events a day."""

    events_a_day: float
    mean_per_s: float
    peak_per_s: float
    workers: int
    partitions: int
    disk_bytes_a_day: float
    # After a stop of ten minutes just before the peak, until nothing waits.
    drained_after_s: float


def plan(events_a_day: float) -> Plan:
    """Workers for the busiest minute with headroom; one more, so that one may be missing."""
    mean = events_a_day / DAY_S
    peak = mean * PEAK
    workers = math.ceil(peak / (WORKER_PER_S * HEADROOM)) + 1
    return Plan(
        events_a_day=events_a_day,
        mean_per_s=mean,
        peak_per_s=peak,
        workers=workers,
        partitions=max(2 * workers, math.ceil(peak / PARTITION_PER_S)),
        disk_bytes_a_day=events_a_day * (TABLE_BYTES + INDEX_BYTES),
        drained_after_s=drained_after(mean, workers),
    )


def rate_at(second: int, mean_per_s: float) -> float:
    """A day's curve: nothing at midnight, `PEAK` times the mean at noon, and `mean_per_s` over the day."""
    share: float = math.sin(math.pi * second / DAY_S) ** STEEPNESS
    return mean_per_s * PEAK * share


def drained_after(mean_per_s: float, workers: int, stop_s: int = 600) -> float:
    """Ingest stands still for `stop_s` just before the day's peak: how long all workers then read until nothing waits.

    Simulated second by second, in seconds; infinite when they never catch up in the half day after it.
    """
    capacity = workers * WORKER_PER_S * HEADROOM
    noon = DAY_S // 2
    waiting = sum(rate_at(second, mean_per_s) for second in range(noon - stop_s, noon))
    for second in range(noon, DAY_S):
        waiting += rate_at(second, mean_per_s) - capacity
        if waiting <= 0:
            return float(second - noon + 1)
    return math.inf


def table() -> str:
    """The table of docs/scale.md."""
    rows = [
        "| events a day | mean | busiest minute | ingest workers | partitions | disk a day | drained after a stop |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for events in (1e6, 1e7, 1e8, 1e9, 3e9):
        one = plan(events)
        rows.append(
            f"| {events:,.0f} | {one.mean_per_s:,.0f}/s | {one.peak_per_s:,.0f}/s | {one.workers} | {one.partitions} "
            f"| {_size(one.disk_bytes_a_day)} | {_minutes(one.drained_after_s)} |"
        )
    return "\n".join(rows)


def _size(amount: float) -> str:
    return f"{amount / 1e12:.1f} TB" if amount >= 1e12 else f"{amount / 1e9:,.1f} GB"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


if __name__ == "__main__":
    print(table())
