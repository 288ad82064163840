"""The flow as it is kept: rows of ways in seconds, minutes and hours, added to by the learner, summed up by readers."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from eventhub.traces.models import Grain
from monitoring.rollups.histogram import bucket_of


class Way(msgspec.Struct, frozen=True):
    """The key of a row: one way in one bucket of time. See ``models.Hop``."""

    grain: int
    bucket: datetime
    kind: str
    from_type: str
    from_service: str
    to_type: str
    to_service: str


class Counts:
    """What is counted of a way."""

    __slots__ = ("count", "failed", "histogram")

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.histogram: Counter[int] = Counter()

    def add(self, took_s: float | None, *, failed: bool) -> None:
        """Count one event or delivery."""
        self.count += 1
        self.failed += failed
        if took_s is not None:
            self.histogram[bucket_of(took_s)] += 1


_KEY = "grain, bucket, kind, from_type, from_service, to_type, to_service"


def add(ways: Mapping[Way, Counts]) -> None:
    """Add to the rows, in the caller's transaction. There is one writer: it holds the learner's lock."""
    keys = [list(column) for column in zip(*(msgspec.structs.astuple(way) for way in ways), strict=True)]
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(  # hop_once, one probe a way
            f"""SELECT {", ".join(f"hop.{name}" for name in _KEY.split(", "))}, count, failed, buckets, counts
                FROM unnest(%s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
                    AS wanted ({_KEY})
                JOIN traces_hop hop USING ({_KEY})""",  # noqa: S608 - constants
            keys,
        )
        for *key, count, failed, buckets, counts in cursor.fetchall():
            mine = ways[Way(*key)]
            mine.count += count
            mine.failed += failed
            mine.histogram.update(dict(zip(numbers_of(buckets), numbers_of(counts), strict=True)))
        cursor.executemany(
            f"""INSERT INTO traces_hop ({_KEY}, count, failed, buckets, counts)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT ({_KEY}) DO UPDATE SET count = excluded.count, failed = excluded.failed,
                    buckets = excluded.buckets, counts = excluded.counts""",  # noqa: S608 - constants
            [(*msgspec.structs.astuple(way), *_row(counts)) for way, counts in sorted_ways(ways)],
        )


def sorted_ways(ways: Mapping[Way, Counts]) -> list[tuple[Way, Counts]]:
    """In the order of their keys."""
    return sorted(ways.items(), key=lambda item: msgspec.structs.astuple(item[0]))


def forget(grain: Grain, before: datetime) -> int:
    """Drop the buckets of `grain` that begin before a moment; how many rows."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM traces_hop WHERE grain = %s AND bucket < %s", [grain, before])
        return int(cursor.rowcount)


def _row(counts: Counts) -> tuple[int, int, str, str]:
    buckets = sorted(counts.histogram)
    numbers = [counts.histogram[bucket] for bucket in buckets]
    return counts.count, counts.failed, _json(buckets), _json(numbers)


def _json(numbers: list[int]) -> str:
    return msgspec.json.encode(numbers).decode()


def numbers_of(value: Any) -> list[int]:
    """The numbers of a JSON column, as the driver gives it: text through a plain cursor."""
    return msgspec.json.decode(value, type=list[int]) if isinstance(value, str | bytes) else list(value)
