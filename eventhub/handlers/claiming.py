"""Taking deliveries in hand, so that no two workers have the same one.

A claim is committed before anything runs: a lease on each row (``lease_until``). It holds until the work's own
transaction has locked the rows; from then on the lock does, for as long as the worker lives. A row whose lease has
passed and that nobody has locked belonged to a worker that is gone.

Which delivery of a batch it was that took its worker along is not known. So each of them is noted as lost, and is run
alone from then on: the innocent ones succeed, and one that takes worker after worker along is given up in the end.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection

LEASE_S = 10
_FREE = "(d.lease_until IS NULL OR d.lease_until < now())"
# For a handler with order: nothing of the same key is older and waits.
_FIRST = """(d.order_key IS NULL OR NOT EXISTS (
        SELECT FROM handlers_delivery older
        WHERE older.handler_id = d.handler_id AND older.order_key = d.order_key AND older.state = 'waiting'
          AND older.place < d.place))"""
# Workers that were lost with a delivery are told in its history.
NOTE_LOST = """
    INSERT INTO handlers_attempt
        (delivery_id, handler_id, number, outcome, ended_at, will_retry, error_class, error_message, stack)
    SELECT id, handler_id, attempts + 1, 'lost', now(), true, 'WorkerLost',
        'The worker that had it in hand was gone before it was done.', ''
    FROM {lost}"""


class Claim(msgspec.Struct, frozen=True):
    """Deliveries in hand, in the order in which to run them."""

    ids: Sequence[int]
    # What tells this claim of them from any other. The rows' own value: the database's clock.
    lease_until: datetime
    # How many workers were lost with it in a row; above 0 it is alone.
    lost: int = 0


def claim(handler_id: int, limit: int) -> Claim | None:
    """Up to `limit` deliveries that are due, the longest due first; None when there are none to be had.

    Those found with a lease that has passed are noted as lost and left for `claim_lost`.
    """
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_waiting
            f"""
            WITH picked AS (
                SELECT d.id, d.lease_until FROM handlers_delivery d
                WHERE d.handler_id = %s AND d.state = 'waiting' AND d.lost = 0 AND d.due_at <= now() AND {_FREE}
                ORDER BY d.due_at, d.place LIMIT %s FOR UPDATE SKIP LOCKED
            ), taken AS (
                UPDATE handlers_delivery d
                SET lease_until = CASE WHEN picked.lease_until IS NULL THEN now() + %s * interval '1 second' END,
                    lost = (picked.lease_until IS NOT NULL)::int
                FROM picked WHERE d.id = picked.id
                RETURNING d.id, d.handler_id, d.attempts, d.due_at, d.place, d.lease_until
            ), lost AS (
                SELECT * FROM taken WHERE lease_until IS NULL
            ), noted AS ({NOTE_LOST.format(lost="lost")})
            SELECT id, lease_until FROM taken WHERE lease_until IS NOT NULL ORDER BY due_at, place
            """,  # noqa: S608 - constants of this module
            [handler_id, limit, LEASE_S],
        )
        rows = cursor.fetchall()
    return Claim([row[0] for row in rows], rows[0][1]) if rows else None


def claim_lost(handler_id: int) -> Claim | None:
    """One delivery that a worker was lost with, to be run alone; None when there is none that is due."""
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_lost
            f"""
            WITH picked AS (
                SELECT d.id, d.lease_until FROM handlers_delivery d
                WHERE d.handler_id = %s AND d.state = 'waiting' AND d.lost > 0 AND d.due_at <= now() AND {_FREE}
                  AND {_FIRST}
                ORDER BY d.due_at LIMIT 1 FOR UPDATE OF d SKIP LOCKED
            ), taken AS (
                UPDATE handlers_delivery d
                SET lease_until = now() + %s * interval '1 second',
                    lost = d.lost + (picked.lease_until IS NOT NULL)::int
                FROM picked WHERE d.id = picked.id
                RETURNING d.id, d.handler_id, d.attempts, d.lease_until, d.lost, picked.lease_until AS earlier
            ), lost AS (
                SELECT * FROM taken WHERE earlier IS NOT NULL
            ), noted AS ({NOTE_LOST.format(lost="lost")})
            SELECT id, lease_until, lost FROM taken
            """,  # noqa: S608 - constants of this module
            [handler_id, LEASE_S],
        )
        row = cursor.fetchone()
    return Claim([row[0]], row[1], row[2]) if row else None


def release(claim: Claim) -> None:
    """Let go of what is still in hand of this claim: it is free for the next at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE handlers_delivery SET lease_until = NULL"
            " WHERE id = ANY(%s) AND lease_until = %s AND state = 'waiting'",
            [list(claim.ids), claim.lease_until],
        )
