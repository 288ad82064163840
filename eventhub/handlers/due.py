"""What there is to do: for each handler the deliveries that are due and free, and how many workers serve it."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from django.db import connection

from eventhub.handlers import slots


class Due(msgspec.Struct, frozen=True):
    """What one handler has to do."""

    name: str
    handler_id: int
    # Deliveries that are due and in nobody's hands, counted no further than was asked for; and since when the first is.
    free: int
    since: datetime
    # The slots of those who serve it now.
    slots: Collection[int] = ()

    @property
    def workers(self) -> int:
        """How many serve it now."""
        return len(self.slots)


def look(names: Collection[str], most: int) -> Sequence[Due]:
    """Those of the handlers called `names` that have something to do; no more than `most` deliveries each are counted.

    One that is off, paused, or stopped with no probe to make has nothing to do.
    """
    found = _found(names, most)
    taken = slots.taken() if found else {}
    return [Due(name, id, free, since, taken.get(id, ())) for name, id, free, since in found]


def _found(names: Collection[str], most: int) -> list[tuple[str, int, int, datetime]]:
    if not names:
        return []
    with connection.cursor() as cursor:
        # delivery_waiting and delivery_lost. A breaker that is not closed lets one delivery through, in its time.
        cursor.execute(
            """
            SELECT handler.name, handler.id,
                   CASE handler.circuit WHEN 'closed' THEN due.free ELSE least(due.free, 1) END,
                   CASE handler.circuit WHEN 'closed' THEN due.since ELSE greatest(due.since, handler.probe_at) END
            FROM handlers_handler handler CROSS JOIN LATERAL (
                SELECT count(*), min(due_at)
                FROM (
                    (SELECT due_at FROM handlers_delivery
                     WHERE handler_id = handler.id AND state = 'waiting' AND lost = 0 AND due_at <= now()
                       AND (lease_until IS NULL OR lease_until < now())
                     ORDER BY due_at LIMIT %(most)s)
                    UNION ALL
                    (SELECT due_at FROM handlers_delivery
                     WHERE handler_id = handler.id AND state = 'waiting' AND lost > 0 AND due_at <= now()
                       AND (lease_until IS NULL OR lease_until < now())
                     ORDER BY due_at LIMIT %(most)s)
                ) AS found
            ) AS due (free, since)
            WHERE handler.name = ANY(%(names)s) AND handler.enabled AND NOT handler.paused AND due.free > 0
              AND (handler.circuit = 'closed' OR handler.probe_at IS NULL OR handler.probe_at <= now())
            """,
            {"most": most, "names": list(names)},
        )
        rows: list[tuple[str, int, int, datetime]] = cursor.fetchall()
    return rows
