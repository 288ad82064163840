"""What need not be kept: figures that are older than anybody looks back."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

# Rows a statement, so that none holds its locks for long.
AT_ONCE = 20_000


def prune(now: datetime | None = None) -> int:
    """Apply ``ROLLUP_RETENTION_DAYS``; returns how many rows are gone.

    An hour leaves as a whole, so what is left of a day is still right. 0 days keep everything.
    """
    if settings.ROLLUP_RETENTION_DAYS <= 0:
        return 0
    at = now or timezone.now()
    before = (at - timedelta(days=settings.ROLLUP_RETENTION_DAYS)).replace(minute=0, second=0, microsecond=0)
    gone = 0
    while (count := _drop(before)) > 0:
        gone += count
    return gone


def _drop(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(  # rollup_bucket
            """DELETE FROM rollups_rollup WHERE id = ANY(ARRAY(
                   SELECT id FROM rollups_rollup WHERE bucket < %s ORDER BY bucket LIMIT %s))""",
            [before, AT_ONCE],
        )
        return int(cursor.rowcount)
