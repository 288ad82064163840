"""Working off a claim: the handler runs for each of its deliveries, and what it did is committed together with the mark
that it is done. So its effects happen once, whatever is killed at whatever moment.

The deliveries of a claim share a transaction, each in a savepoint: a commit costs more than most handlers do. One that
fails undoes its own work only.
"""

from collections.abc import Sequence
from time import monotonic

import msgspec
from django.db import connection, transaction

from eventhub.events import queries
from eventhub.events.queries import StoredEvent
from eventhub.handlers import ordering, settling
from eventhub.handlers.attempting import Attempted, attempt
from eventhub.handlers.breaker import Ran
from eventhub.handlers.claiming import Claim
from eventhub.handlers.errors import Failure
from eventhub.handlers.registry import Subscription
from eventhub.handlers.retry import GiveUp, Why
from eventhub.handlers.savepoints import Savepoints
from eventhub.handlers.timeouts import free_statements, limit_statements
from eventhub.running.stopping import is_asked

# Work is committed this often at least, so that others wait for its locks, and readers of the log for its end, no
# longer than that and one more delivery.
COMMIT_AFTER_S = 0.5
# A delivery with which so many workers were lost in a row is given up: once among others, then alone.
MOST_LOST = 4


class Held(msgspec.Struct, frozen=True):
    """A delivery in hand: its row is locked by this transaction."""

    id: int
    event_type: str
    order_key: str | None
    attempts: int
    earlier_attempts: int
    retry_of: int | None
    retry_attempt: int | None
    # None: retention has dropped it.
    event: StoredEvent | None

    @property
    def number(self) -> int:
        """Which attempt of this run comes next, from 1."""
        return self.attempts - self.earlier_attempts + 1


class Worked(msgspec.Struct, frozen=True):
    """What became of a claim."""

    # In the order in which they ended.
    ran: Sequence[Ran]
    # The last error, for who looks at a breaker that it opened.
    last_failure: Failure | None
    # Deliveries that nothing was done with: time was up, or their key had to wait.
    left: int
    # One of them got in the way of another transaction, which ended this one.
    is_conflict: bool = False
    # There was no time for all of them.
    is_late: bool = False


def work_off(subscription: Subscription, handler_id: int, claim: Claim) -> Worked:
    """Run the handler for each delivery of `claim` and commit. What it leaves is still claimed: release it.

    Raises ConnectionLost and django.db.Error; then nothing has happened.
    """
    ended: list[tuple[Held, Attempted]] = []
    stopped_keys: set[str | None] = set()
    gone = in_a_row = 0
    is_conflict = is_late = False
    with transaction.atomic():
        limit_statements(subscription.timeout_s)
        deadline = monotonic() + COMMIT_AFTER_S
        savepoints = Savepoints()
        for held in _hold(claim, handler_id, in_order=subscription.order_by is not None):
            if held.event is None:
                settling.mark_gone(held.id)
                gone += 1
                continue
            if held.order_key is not None and held.order_key in stopped_keys:
                continue
            if monotonic() > deadline or is_asked():
                is_late = deadline > 0
                continue
            if claim.lost >= MOST_LOST:
                result = _given_up(claim.lost)
            else:
                result = attempt(subscription, held.event, held.number, savepoints, alone=not ended)
            in_a_row = 0 if result.succeeded else in_a_row + (held.number == 1)
            if subscription.breaker is not None and in_a_row >= subscription.breaker.after:
                deadline = 0.0  # the breaker opens: the others are left as they are
            if not result.succeeded:
                stopped_keys.add(held.order_key)
            if result.is_conflict:
                is_conflict, deadline = True, 0.0  # the other transaction waits for ours: end it
            else:
                ended.append((held, result))
        free_statements()
        settling.settle(subscription, handler_id, ended)
        if subscription.order_by is not None:
            ordering.come_forward(
                handler_id, sorted({h.order_key for h, _ in ended if h.order_key is not None})
            )
    failures = [result.failure for _, result in ended if result.failure is not None]
    return Worked(
        [Ran(result.succeeded, held.number == 1) for held, result in ended],
        failures[-1] if failures else None,
        left=len(claim.ids) - len(ended) - gone,
        is_conflict=is_conflict,
        is_late=is_late,
    )


def _hold(claim: Claim, handler_id: int, *, in_order: bool) -> list[Held]:
    """Lock the claim's rows for this transaction, in their order; those that it has lost meanwhile are left out.

    Waits for whoever looks for deliveries at this moment and has touched them; those wait for nobody.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.id, d.event_id, d.occurred_at, d.event_type, d.order_key, d.attempts, d.earlier_attempts,
                   d.retry_of, d.retry_attempt
            FROM unnest(%s::bigint[]) WITH ORDINALITY AS claimed (id, place)
            JOIN handlers_delivery d USING (id)
            WHERE d.lease_until = %s AND d.state = 'waiting' ORDER BY claimed.place FOR UPDATE OF d
            """,
            [list(claim.ids), claim.lease_until],
        )
        rows = cursor.fetchall()
    if in_order:
        free = _lock_keys(handler_id, sorted({row[4] for row in rows if row[4] is not None}))
        rows = [row for row in rows if row[4] is None or row[4] in free]
    events = queries.events_at([(row[1], row[2]) for row in rows]) if rows else {}
    return [
        Held(
            id,
            event_type,
            key,
            attempts,
            earlier_attempts,
            retry_of,
            retry_attempt,
            events.get((event_id, at)),
        )
        for id, event_id, at, event_type, key, attempts, earlier_attempts, retry_of, retry_attempt in rows
    ]


def _lock_keys(handler_id: int, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that no other transaction works on.

    Claims see to that already, but for one case: of two writers the one that commits later may have numbered its
    delivery of a key first.
    """
    if not keys:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, pg_try_advisory_xact_lock(%s, hashtext(key)) FROM unnest(%s::text[]) AS key",
            [handler_id, list(keys)],
        )
        return {key for key, is_ours in cursor.fetchall() if is_ours}


def _given_up(lost: int) -> Attempted:
    failure = Failure(
        "WorkerLost",
        f"{lost} workers in a row were gone while they handled it, the last {lost - 1} with nothing else in hand. "
        "It may crash the process, take all its memory, or be stopped from outside.",
        "",
    )
    return Attempted(0.0, failure, GiveUp(Why.PERMANENT))
