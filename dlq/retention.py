"""Dropping letters that were closed long ago; the counts of their groups stay right."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from dlq import counts
from dlq.models import DeadLetter
from eventhub.access import audit

# So many in one transaction.
CHUNK = 2_000
MOST_AT_ONCE = 200_000


def horizon(days: int | None = None) -> datetime | None:
    """Letters closed before this are dropped; None keeps all."""
    wanted = settings.DEAD_LETTER_RETENTION_DAYS if days is None else days
    return timezone.now() - timedelta(days=wanted) if wanted > 0 else None


def count_old(days: int | None = None) -> int:
    """How many letters `drop_old` would drop. Index dead_letter_closed."""
    before = horizon(days)
    return DeadLetter.objects.filter(closed_at__lt=before).count() if before else 0


def drop_old(days: int | None = None) -> int:
    """Drop resolved and discarded letters that were closed so long ago, with their retries; how many went.

    Open and sent ones stay, however old. At most `MOST_AT_ONCE`: the next run goes on.
    """
    before = horizon(days)
    dropped = 0
    while before and dropped < MOST_AT_ONCE and (some := _drop_some(before)):
        dropped += some
    if dropped:
        audit.record(
            audit.SYSTEM, "drop", f"{dropped:,} dead letters", closed_before=before and before.isoformat()
        )
    return dropped


@transaction.atomic
def _drop_some(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM dlq_deadletter WHERE id IN (
                SELECT id FROM dlq_deadletter WHERE closed_at < %s ORDER BY closed_at LIMIT %s
            ) AND closed_at < %s ORDER BY id FOR UPDATE
            """,
            [before, CHUNK, before],
        )
        ids = [row[0] for row in cursor.fetchall()]
        for table in ("dlq_retry", "dlq_pastfailure", "dlq_edit", "dlq_skippedletter"):
            cursor.execute(f"DELETE FROM {table} WHERE letter_id = ANY(%s)", [ids])  # noqa: S608 - named above
        cursor.execute(
            """
            WITH dropped AS (DELETE FROM dlq_deadletter WHERE id = ANY(%s) RETURNING group_id)
            SELECT group_id, count(*) FROM dropped GROUP BY group_id
            """,
            [ids],
        )
        changes = {group: counts.Change(letters=-letters) for group, letters in cursor.fetchall()}
    counts.add(changes)
    return len(ids)
