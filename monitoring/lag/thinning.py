"""The history of lag: minutes become hours after eight days, and hours leave after three months."""

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

KEEP_MINUTES = timedelta(days=8)
# As far back as the pages look.
KEEP_HOURS = timedelta(days=91)

# The first minute of each hour stays and takes in the others; the status is that of the last one.
HOURS_OF_GROUPS = """
WITH old AS (
    DELETE FROM monitoring_groupminute WHERE minute < %s AND extract(minute FROM minute) <> 0 RETURNING *
)
INSERT INTO monitoring_groupminute AS m (group_id, minute, status, messages, seconds)
SELECT group_id, date_bin('1 hour', minute, timestamptz 'epoch'), (array_agg(status ORDER BY minute DESC))[1],
    max(messages), max(seconds)
FROM old GROUP BY 1, 2
ON CONFLICT (group_id, minute) DO UPDATE SET status = excluded.status,
    messages = greatest(m.messages, excluded.messages), seconds = greatest(m.seconds, excluded.seconds)
"""
HOURS_OF_SOURCES = """
WITH old AS (
    DELETE FROM monitoring_sourceminute WHERE minute < %s AND extract(minute FROM minute) <> 0 RETURNING *
)
INSERT INTO monitoring_sourceminute AS m (source_id, minute, messages, seconds)
SELECT source_id, date_bin('1 hour', minute, timestamptz 'epoch'), max(messages), max(seconds)
FROM old GROUP BY 1, 2
ON CONFLICT (source_id, minute) DO UPDATE SET
    messages = greatest(m.messages, excluded.messages), seconds = greatest(m.seconds, excluded.seconds)
"""


def thin(now: datetime | None = None) -> None:
    """Make hours of old minutes: the most that waited in each; and drop what nobody looks back to."""
    at = now or timezone.now()
    hour = (at - KEEP_MINUTES).replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM monitoring_groupminute WHERE minute < %s", [at - KEEP_HOURS])
        cursor.execute(HOURS_OF_GROUPS, [hour])
        cursor.execute("DELETE FROM monitoring_sourceminute WHERE minute < %s", [at - KEEP_HOURS])
        cursor.execute(HOURS_OF_SOURCES, [hour])


def grain_s(start: datetime, now: datetime) -> int:
    """The widest bucket of the history since `start`, in seconds: a chart's step must not be finer."""
    return 60 if start >= now - KEEP_MINUTES else 3600
