"""How many letters there are, without counting them: sums over the changes that every writer appends."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from django.db import connection, transaction
from django.utils import timezone

# Changes older than this are merged into months: pages show the last 24 hours, and sums.
HOURS_KEPT = timedelta(hours=26)
# Any number that no other advisory lock here has.
MERGE_LOCK = 0x0D1E


class Change(msgspec.Struct):
    """What one transaction adds to a group's counts."""

    failures: int = 0
    letters: int = 0
    open: int = 0
    last_failed_at: datetime | None = None


class GroupTotals(msgspec.Struct, frozen=True):
    """The counts of one group."""

    letters: int = 0
    open: int = 0
    last_failed_at: datetime | None = None
    failures: int = 0


class OpenLetters(msgspec.Struct, frozen=True):
    """What waits for people: letters that are open, and in how many groups."""

    letters: int
    groups: int
    # Letters that died since midnight (UTC), whatever became of them.
    added_today: int
    # Of the group with most open letters; None when nothing is open.
    worst_group_title: str | None


def add(changes: Mapping[int, Change]) -> None:
    """Append changes, by group id; one statement. Call it in the transaction of what they count."""
    rows = [(group_id, change) for group_id, change in changes.items() if _says_something(change)]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dlq_groupcount (group_id, hour, failures, letters_change, open_change, last_failed_at)
            SELECT group_id, date_trunc('hour', now(), 'UTC'), failures, letters, open, last_failed_at
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
                AS change (group_id, failures, letters, open, last_failed_at)
            """,
            [
                [group_id for group_id, _ in rows],
                [change.failures for _, change in rows],
                [change.letters for _, change in rows],
                [change.open for _, change in rows],
                [change.last_failed_at for _, change in rows],
            ],
        )


def open_letters() -> OpenLetters:
    """What is open now. One statement over a few rows for each group and hour."""
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH totals AS (
                SELECT group_id, sum(open_change) AS open,
                       sum(failures) FILTER (WHERE hour >= %s) AS today
                FROM dlq_groupcount GROUP BY group_id
            )
            SELECT coalesce(sum(open), 0)::bigint, count(*) FILTER (WHERE open > 0),
                   coalesce(sum(today), 0)::bigint,
                   (SELECT title FROM dlq_deadlettergroup
                    WHERE id = (SELECT group_id FROM totals WHERE open > 0 ORDER BY open DESC, group_id LIMIT 1))
            FROM totals
            """,
            [today],
        )
        row = cursor.fetchone()
    assert row is not None
    return OpenLetters(*row)


def totals(group_ids: Sequence[int]) -> dict[int, GroupTotals]:
    """The counts of these groups."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT group_id, sum(letters_change)::bigint, sum(open_change)::bigint, max(last_failed_at),
                   sum(failures)::bigint
            FROM dlq_groupcount WHERE group_id = ANY(%s) GROUP BY group_id
            """,
            [list(group_ids)],
        )
        return {row[0]: GroupTotals(*row[1:]) for row in cursor.fetchall()}


def failures_by_hour(group_ids: Sequence[int], hours: int = 24) -> dict[int, list[int]]:
    """Failures of each group in each of the last `hours` hours, the oldest first, the running hour last."""
    this_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    found = {group_id: [0] * hours for group_id in group_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT group_id, hour, sum(failures)::bigint FROM dlq_groupcount
            WHERE group_id = ANY(%s) AND hour > %s AND failures <> 0 GROUP BY group_id, hour
            """,
            [list(group_ids), this_hour - timedelta(hours=hours)],
        )
        for group_id, hour, failures in cursor.fetchall():
            age = int((this_hour - hour) / timedelta(hours=1))
            if 0 <= age < hours:
                found[group_id][hours - 1 - age] = failures
    return found


@transaction.atomic
def merge() -> int:
    """Merge the changes of each group into one row an hour (a month, when older than `HOURS_KEPT`).

    Returns how many rows fewer there are. Safe beside writers, which only append; readers see the same sums.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [MERGE_LOCK])
        row = cursor.fetchone()
        if not row or not row[0]:
            return 0
        cursor.execute(
            """
            WITH target AS (
                SELECT id, group_id,
                       CASE WHEN hour < %(kept)s THEN date_trunc('month', hour, 'UTC') ELSE hour END AS hour
                FROM dlq_groupcount
            ), crowded AS (
                SELECT group_id, hour FROM target GROUP BY group_id, hour HAVING count(*) > 1
            ), removed AS (
                DELETE FROM dlq_groupcount c USING target t JOIN crowded USING (group_id, hour)
                WHERE c.id = t.id
                RETURNING c.group_id, t.hour, c.failures, c.letters_change, c.open_change, c.last_failed_at
            ), merged AS (
                INSERT INTO dlq_groupcount (group_id, hour, failures, letters_change, open_change, last_failed_at)
                SELECT group_id, hour, sum(failures), sum(letters_change), sum(open_change), max(last_failed_at)
                FROM removed GROUP BY group_id, hour RETURNING 1
            )
            SELECT (SELECT count(*) FROM removed) - (SELECT count(*) FROM merged)
            """,
            {"kept": timezone.now() - HOURS_KEPT},
        )
        row = cursor.fetchone()
        return int(row[0]) if row else 0


def _says_something(change: Change) -> bool:
    return bool(change.failures or change.letters or change.open)
