"""Finding what is due and was not hastened: retries whose time has come, what a lost task or a killed worker left."""

from collections.abc import Mapping

from django.db import connection

from eventhub.handlers import registry, waking

# No more are counted: it only says how many workers to wake.
COUNTED = waking.DELIVERIES_A_WORKER * waking.MOST_WORKERS


def sweep() -> Mapping[str, int]:
    """Wake workers for every handler with something to do; returns how many deliveries are due (at most `COUNTED`)."""
    due = _due()
    waking.wake(due)
    return due


def _due() -> dict[str, int]:
    names = list(registry.subscriptions())
    if not names:
        return {}
    with connection.cursor() as cursor:
        # delivery_waiting and delivery_lost. A breaker that is not closed lets one delivery through, in its time.
        cursor.execute(
            """
            SELECT handler.name, CASE handler.circuit WHEN 'closed' THEN due.count ELSE least(due.count, 1) END
            FROM handlers_handler handler CROSS JOIN LATERAL (
                SELECT count(*) FROM (
                    (SELECT FROM handlers_delivery
                     WHERE handler_id = handler.id AND state = 'waiting' AND lost = 0 AND due_at <= now()
                       AND (lease_until IS NULL OR lease_until < now()) LIMIT %(counted)s)
                    UNION ALL
                    (SELECT FROM handlers_delivery
                     WHERE handler_id = handler.id AND state = 'waiting' AND lost > 0 AND due_at <= now()
                       AND (lease_until IS NULL OR lease_until < now()) LIMIT %(counted)s)
                ) AS found
            ) AS due (count)
            WHERE handler.name = ANY(%(names)s) AND handler.enabled AND NOT handler.paused AND due.count > 0
              AND (handler.circuit = 'closed' OR handler.probe_at IS NULL OR handler.probe_at <= now())
            """,
            {"counted": COUNTED, "names": names},
        )
        return dict(cursor.fetchall())
