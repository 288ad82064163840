"""Writing rollups: a batch adds a few rows in the transaction that stores its events."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from monitoring.rollups.models import Grain

COLUMNS = (
    "grain, bucket, origin_id, broker, event_type, service, received, size_bytes, duplicates, dead_letters, invalid, "
    "handled, failed, arrival_buckets, arrival_counts, processing_buckets, processing_counts"
)


class Tally:
    """The counts of one (event type, service) of a batch."""

    __slots__ = (
        "arrival",
        "dead_letters",
        "duplicates",
        "failed",
        "handled",
        "invalid",
        "processing",
        "received",
        "size_bytes",
    )

    def __init__(self) -> None:
        self.received = 0
        self.size_bytes = 0
        self.duplicates = 0
        self.dead_letters = 0
        # Stored though they do not fit their schema.
        self.invalid = 0
        # Deliveries that receipts report.
        self.handled = 0
        self.failed = 0
        # Histogram buckets (``histogram.bucket_of``) of the time from occurrence to the store, and of processing.
        self.arrival: Counter[int] = Counter()
        self.processing: Counter[int] = Counter()


class Tallies(dict[tuple[str, str], Tally]):
    """The tallies of a batch by (event type, service), made when first asked for."""

    def __missing__(self, key: tuple[str, str]) -> Tally:
        tally = self[key] = Tally()
        return tally


def add(tallies: Tallies, *, origin_id: int | None, broker: str, at: datetime) -> None:
    """Add the rows of one batch, in the caller's transaction.

    It came from the source `origin_id` of the kind `broker` (None and "": from none), and is recorded at `at`.
    """
    bucket = at.replace(microsecond=0)
    rows = [
        _row(bucket, origin_id, broker, event_type, service, tally)
        for (event_type, service), tally in tallies.items()
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO rollups_rollup ({COLUMNS}) VALUES ({', '.join(['%s'] * 17)})",  # noqa: S608 - constants
            rows,
        )


def _row(
    bucket: datetime, origin_id: int | None, broker: str, event_type: str, service: str, tally: Tally
) -> list[Any]:
    return [
        Grain.SECOND,
        bucket,
        origin_id,
        broker,
        event_type,
        service,
        tally.received,
        tally.size_bytes,
        tally.duplicates,
        tally.dead_letters,
        tally.invalid,
        tally.handled,
        tally.failed,
        *_arrays(tally.arrival),
        *_arrays(tally.processing),
    ]


def _arrays(histogram: Counter[int]) -> Iterable[list[int]]:
    buckets = sorted(histogram)
    return buckets, [histogram[bucket] for bucket in buckets]
