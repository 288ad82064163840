"""What is new in the traffic: event types and versions that were not there before.

`note_versions` walks over what was stored since it last looked and remembers each version of each type it meets for
the first time. Of a great many events only the newest are looked at: a version that keeps coming is met next time.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from django.db import connection, transaction
from django.urls import reverse

from monitoring.models import SeenVersion, VersionWatch

# The most events that one look reads.
MOST_EVENTS = 50_000
# A type's versions that are met within this after the type itself were there from the start.
SETTLING = timedelta(minutes=2)
NEW_FOR = timedelta(days=7)


class Change(msgspec.Struct, frozen=True):
    """Something new: an event type, or a version of one."""

    kind: Literal["type", "version"]
    at: datetime
    event_type: str
    version: str
    href: str


@transaction.atomic
def note_versions() -> int:
    """Remember versions met for the first time; returns how many. Uses the index on (txid, position)."""
    watch, _ = VersionWatch.objects.select_for_update().get_or_create(pk=1)
    with connection.cursor() as cursor:
        # Only what is settled, as every reader of the log: a late commit is then never skipped.
        cursor.execute(
            """
            WITH fresh AS (
                SELECT txid, position, event_type, event_version, recorded_at FROM events_event
                WHERE (txid, position) > (%s::text::xid8, %s) AND txid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY txid DESC, position DESC LIMIT %s
            ), met AS (
                INSERT INTO monitoring_seenversion (event_type, version, first_seen_at)
                SELECT event_type, event_version, min(recorded_at) FROM fresh
                WHERE event_version IS NOT NULL AND event_type NOT LIKE 'eventhub.%%' GROUP BY 1, 2
                ON CONFLICT DO NOTHING RETURNING 1
            )
            SELECT (SELECT count(*) FROM met), txid::text, position FROM fresh LIMIT 1""",
            [str(watch.txid), watch.position, MOST_EVENTS],
        )
        row = cursor.fetchone()
    if row is None:
        return 0
    met, txid, position = row
    VersionWatch.objects.filter(pk=1).update(txid=int(txid), position=position)
    return int(met)


def recent(now: datetime, most: int = 6) -> list[Change]:
    """What was new in the last week, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT 'type', first_seen_at, name, '' FROM schemas_eventtype
            WHERE first_seen_at > %s AND name NOT LIKE 'eventhub.%%'
            UNION ALL
            SELECT 'version', v.first_seen_at, v.event_type, v.version
            FROM monitoring_seenversion v JOIN schemas_eventtype t ON t.name = v.event_type
            WHERE v.first_seen_at > %s AND v.first_seen_at > t.first_seen_at + %s::interval
            ORDER BY 2 DESC, 1, 3 LIMIT %s""",
            [now - NEW_FOR, now - NEW_FOR, f"{SETTLING.total_seconds()} s", most],
        )
        rows = cursor.fetchall()
    return [
        Change(kind, at, name, version, reverse("event-type", args=[name]))
        for kind, at, name, version in rows
    ]


def versions_seen(event_type: str) -> list[SeenVersion]:
    """The versions of a type that were met, the newest first."""
    return list(SeenVersion.objects.filter(event_type=event_type).order_by("-first_seen_at"))
