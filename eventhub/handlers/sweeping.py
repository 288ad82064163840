"""Finding what is due and was not hastened: retries whose time has come, what a lost task or a killed worker left."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from django.db import connection
from django.utils import timezone

from eventhub.handlers import registry, waking
from eventhub.handlers.registry import Subscription

# No more are counted: it only says how many workers to wake.
COUNTED = waking.DELIVERIES_A_WORKER * waking.MOST_WORKERS
# Where nobody has taken anything for so long no worker runs handlers, and tasks would only pile up in the broker: then
# there are some in so many seconds.
NOBODY_AFTER = timedelta(seconds=60)
NOBODY_EVERY_S = 30
NOBODY_FOR_S = 2


class Due(msgspec.Struct, frozen=True):
    """What one handler has to do."""

    name: str
    # Deliveries that are free, at most `COUNTED`, and since when the first of them is.
    free: int
    since: datetime
    # Those in a worker's hands.
    in_hand: int


def sweep(now: datetime | None = None) -> dict[str, int]:
    """Wake workers for every handler with something to do; returns how many, by handler."""
    at = now or timezone.now()
    subscriptions = registry.subscriptions()
    due = _due(list(subscriptions)) if subscriptions else []
    woken: dict[str, int] = {}
    for one in due if _is_somebody_there(due, at) else ():
        missing = workers_missing(subscriptions[one.name], one)
        if missing and waking.send(subscriptions[one.name], missing):
            woken[one.name] = missing
    return woken


def workers_missing(subscription: Subscription, due: Due) -> int:
    """How many workers more than those at work a handler can use. Those at work go on by themselves."""
    at_work = -(-due.in_hand // subscription.batch)
    wanted = waking.workers_for(subscription, due.free)
    # One is never too many: those at work may be at their last.
    return max(wanted - at_work, min(1, wanted))


def _is_somebody_there(due: Sequence[Due], at: datetime) -> bool:
    """Whether there are signs of a worker, or it is time to try whether there is one."""
    return (
        any(one.in_hand or at - one.since < NOBODY_AFTER for one in due)
        or int(at.timestamp()) % NOBODY_EVERY_S < NOBODY_FOR_S
    )


def _due(names: list[str]) -> list[Due]:
    with connection.cursor() as cursor:
        # delivery_waiting and delivery_lost. A breaker that is not closed lets one delivery through, in its time.
        cursor.execute(
            """
            SELECT handler.name, CASE handler.circuit WHEN 'closed' THEN due.free ELSE least(due.free, 1) END,
                   CASE handler.circuit WHEN 'closed' THEN due.since ELSE greatest(due.since, handler.probe_at) END,
                   due.in_hand
            FROM handlers_handler handler CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE is_free), min(due_at) FILTER (WHERE is_free),
                       count(*) FILTER (WHERE NOT is_free)
                FROM (
                    (SELECT due_at, lease_until IS NULL OR lease_until < now() AS is_free FROM handlers_delivery
                     WHERE handler_id = handler.id AND state = 'waiting' AND lost = 0 AND due_at <= now()
                     ORDER BY due_at LIMIT %(counted)s)
                    UNION ALL
                    (SELECT due_at, lease_until IS NULL OR lease_until < now() FROM handlers_delivery
                     WHERE handler_id = handler.id AND state = 'waiting' AND lost > 0 AND due_at <= now()
                     ORDER BY due_at LIMIT %(counted)s)
                ) AS found
            ) AS due (free, since, in_hand)
            WHERE handler.name = ANY(%(names)s) AND handler.enabled AND NOT handler.paused AND due.free > 0
              AND (handler.circuit = 'closed' OR handler.probe_at IS NULL OR handler.probe_at <= now())
            """,
            {"counted": COUNTED, "names": names},
        )
        return [Due(*row) for row in cursor.fetchall()]
