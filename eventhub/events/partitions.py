"""The event table's partitions: one a day, made on first need, dropped whole by retention."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db import connection

# Days outside of this window around today are the absurd: their events go to the default partition.
OLDEST = timedelta(days=3 * 366)
AHEAD = timedelta(days=7)
# A batch of events of very many days must not make very many partitions; the rest goes to the default partition.
NEW_PER_BATCH = 32
NAME = re.compile(r"events_event_(\d{8})")

# The days whose partitions this process knows to exist. A partition that retention dropped meanwhile is not made
# again: late events of such a day go to the default partition.
_known: set[date] = set()


def ensure(needed: Iterable[date]) -> None:
    """Make the partitions that events of these days (UTC) need. Call it outside of the transaction that appends.

    Making one waits for readers of the default partition, so it is done in a short transaction of its own.
    """
    days = set(needed) - _known
    if not days:
        return
    today = datetime.now(UTC).date()
    wanted = sorted(day for day in days if today - OLDEST <= day <= today + AHEAD)
    for day in wanted[-NEW_PER_BATCH:]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT events_create_partition(%s)", [day])
        _known.add(day)


def existing() -> dict[date, str]:
    """The days that have a partition, with its table's name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events_event'::regclass"
        )
        names = [row[0] for row in cursor.fetchall()]
    return {_day(match[1]): name for name in names if (match := NAME.fullmatch(name))}


def expired(days: int, there: Iterable[date], today: date) -> list[date]:
    """Which of these days hold nothing that is at most `days` days old, the oldest first; 0 keeps all."""
    return sorted(day for day in there if day < today - timedelta(days=days)) if days > 0 else []


def day_of(partition: str) -> date | None:
    """The day of a partition by its table's name; None for the default one."""
    match = NAME.fullmatch(partition)
    return _day(match[1]) if match else None


def drop_older_than(days: int, today: date | None = None) -> list[str]:
    """Drop the partitions whose events are all more than `days` days old; 0 keeps all. Returns their names."""
    there = existing()
    doomed = [there[day] for day in expired(days, there, today or datetime.now(UTC).date())]
    for name in doomed:
        with connection.cursor() as cursor:
            # The names come from NAME above, so there is nothing to quote.
            cursor.execute(f"DROP TABLE {name}")
    return doomed


def drop_expired() -> list[str]:
    """Apply the retention in the settings (``EVENT_RETENTION_DAYS``)."""
    return drop_older_than(settings.EVENT_RETENTION_DAYS)


def _day(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
