"""A group that was marked as fixed and fails again says so, at the moment when the failure is written."""

from collections.abc import Mapping

from django.db import connection

from dlq.counts import Change
from eventhub.access import audit


def notice(changes: Mapping[int, Change]) -> None:
    """Mark the groups of these failures that were fixed before it. Call it in the transaction that writes them.

    What failed before the fix and only arrived after it is no regression. One statement; rows are locked in the
    order of ids.
    """
    failed = {group: change.last_failed_at for group, change in changes.items() if change.last_failed_at}
    if not failed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE dlq_deadlettergroup SET regressed_at = now() WHERE id IN (
                SELECT g.id FROM dlq_deadlettergroup g
                JOIN unnest(%s::bigint[], %s::timestamptz[]) AS failure (id, at) USING (id)
                WHERE g.fixed_at < failure.at AND g.regressed_at IS NULL
                ORDER BY g.id FOR NO KEY UPDATE OF g
            ) RETURNING id, title, fixed_in
            """,
            [list(failed), list(failed.values())],
        )
        regressed = cursor.fetchall()
    for group, title, release in regressed:
        audit.record(audit.SYSTEM, "regress", f"dead-letter group {group}", title=title, fixed_in=release)
