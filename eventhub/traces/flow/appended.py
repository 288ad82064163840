"""Events that applications append to streams, counted for the rollups.

What comes from a broker is counted in the transaction that stores it, a batch at a time. An append is one event in the
application's own transaction, which a row of figures would make dearer by a half; so the reader that follows the log
anyway counts these, a moment later and exactly once: rows and checkpoint commit together.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import msgspec

from monitoring.rollups import writing
from monitoring.rollups.histogram import bucket_of
from monitoring.rollups.writing import Tallies


class Appended(msgspec.Struct, frozen=True):
    """One event that came from no source."""

    event_type: str
    service: str
    occurred_at: datetime
    recorded_at: datetime
    size_bytes: int


def by_second(appended: Iterable[Appended]) -> dict[datetime, Tallies]:
    """What they add to the rollups, by the second in which they were recorded."""
    seconds: dict[datetime, Tallies] = defaultdict(Tallies)
    for event in appended:
        tally = seconds[event.recorded_at.replace(microsecond=0)][event.event_type, event.service]
        tally.received += 1
        tally.size_bytes += event.size_bytes
        tally.arrival[bucket_of((event.recorded_at - event.occurred_at).total_seconds())] += 1
    return seconds


def add(appended: Iterable[Appended]) -> None:
    """Add them to the rollups, in the caller's transaction."""
    for second, tallies in sorted(by_second(appended).items()):
        writing.add(tallies, origin_id=None, broker="", at=second)
