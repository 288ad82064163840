"""Retention before it happens: which days would be dropped, what that frees, and what it would save from then on."""

from datetime import date, datetime, timedelta

import msgspec

from eventhub.events import partitions
from monitoring.storage.growing import Standing
from monitoring.storage.sizes import Partition

CANDIDATES_DAYS = (7, 30, 90, 180, 365)


class Plan(msgspec.Struct, frozen=True):
    """What a run of retention and of the making of partitions would do now."""

    days: int
    dropped: list[Partition]
    made: list[date]

    @property
    def freed_bytes(self) -> int:
        """On disk."""
        return sum(one.size_bytes for one in self.dropped)

    @property
    def lost_events(self) -> int:
        """How many events would be gone, by PostgreSQL's statistics."""
        return sum(one.rows for one in self.dropped)


class Choice(msgspec.Struct, frozen=True):
    """What keeping events for so many days would come to."""

    days: int
    is_set: bool
    # Now, by dropping what is older.
    freed_bytes: int
    # What those days take as much as is added now.
    settles_at_bytes: float
    # None: nobody has said how large the disk is.
    fits: bool | None


def plan(found: list[Partition], days: int, now: datetime) -> Plan:
    """What `partitions.drop_older_than` and `partitions.ensure` would do; 0 days keeps everything."""
    today = now.date()
    doomed = set(partitions.expired(days, [one.day for one in found if one.day], today))
    there = {one.day for one in found}
    return Plan(
        days=days,
        dropped=[one for one in found if one.day in doomed],
        made=[day for day in (today, today + timedelta(days=1)) if day not in there],
    )


def choices(standing: Standing, set_days: int, now: datetime) -> list[Choice]:
    """The usual ones, and the one that is set."""
    per_day, free = standing.forecast.per_day_bytes, standing.room.free_bytes
    told = []
    for days in sorted({*CANDIDATES_DAYS, *([set_days] if set_days else [])}):
        freed = plan(standing.partitions, days, now).freed_bytes
        kept = sum(one.size_bytes for one in standing.partitions) - freed
        settles = per_day * days
        told.append(
            Choice(
                days=days,
                is_set=days == set_days,
                freed_bytes=freed,
                settles_at_bytes=settles,
                fits=None if free is None else settles - kept <= free + freed,
            )
        )
    return told
