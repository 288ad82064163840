"""The latest events of a type, as inference, drift and impact look at them."""

from datetime import datetime, timedelta

import msgspec
from django.db import connection

from eventhub.schemas.drift import Seen
from eventhub.schemas.personal.sealing import opened_data

WEEK = timedelta(days=7)
# Enough to tell shares to about 3 %, and looked at in half a second while somebody types.
MOST = 1_000
# Larger payloads would make a page wait; they are left out.
MOST_BYTES = 64_000


def sample(event_type: str, now: datetime, *, most: int = MOST, since: timedelta = WEEK) -> list[Seen]:
    """Up to `most` of the type's latest events, not older than `since`; the latest first."""
    with connection.cursor() as cursor:
        # Index events_event_type (event_type, occurred_at), backwards.
        cursor.execute(
            """SELECT event_id, coalesce(source, ''), occurred_at, data::text FROM events_event
               WHERE event_type = %s AND occurred_at > %s AND pg_column_size(data) < %s
               ORDER BY occurred_at DESC LIMIT %s""",
            [event_type, now - since, MOST_BYTES, most],
        )
        return [
            Seen(event_id, source, at, opened_data(msgspec.json.decode(data)))
            for event_id, source, at, data in cursor
        ]
