"""What need not be kept: attempts after a while, deliveries when retention has dropped their events."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

# Rows a statement, so that none holds its locks for long.
AT_ONCE = 10_000


def prune(now: datetime | None = None) -> int:
    """Apply ``HANDLER_HISTORY_DAYS`` and ``EVENT_RETENTION_DAYS``; returns how many rows are gone.

    What waits stays, whatever its age. A dead letter keeps its own account of its failures.
    """
    at = now or timezone.now()
    gone = 0
    if settings.HANDLER_HISTORY_DAYS > 0:
        gone += _repeat(_drop_attempts, at - timedelta(days=settings.HANDLER_HISTORY_DAYS))
    if settings.EVENT_RETENTION_DAYS > 0:
        gone += _repeat(_drop_deliveries, at - timedelta(days=settings.EVENT_RETENTION_DAYS + 1))
    return gone


def _repeat(drop: Callable[[datetime], int], before: datetime) -> int:
    gone = 0
    while (count := drop(before)) > 0:
        gone += count
    return gone


def _drop_attempts(before: datetime) -> int:
    with connection.cursor() as cursor:
        # The oldest have the lowest ids: the primary key finds them.
        cursor.execute(
            """
            DELETE FROM handlers_attempt WHERE id = ANY(ARRAY(
                SELECT id FROM (SELECT id, ended_at FROM handlers_attempt ORDER BY id LIMIT %s) AS oldest
                WHERE ended_at < %s))
            """,
            [AT_ONCE, before],
        )
        return int(cursor.rowcount)


def _drop_deliveries(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_age
            """
            WITH doomed AS (
                DELETE FROM handlers_delivery WHERE id = ANY(ARRAY(
                    SELECT id FROM handlers_delivery
                    WHERE created_at < %s AND occurred_at < %s AND state <> 'waiting' LIMIT %s))
                RETURNING id
            ), forgotten AS (
                DELETE FROM handlers_attempt WHERE delivery_id = ANY(ARRAY(SELECT id FROM doomed))
            )
            SELECT count(*) FROM doomed
            """,
            [before, before, AT_ONCE],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0
