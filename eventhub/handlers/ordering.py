"""Claims for handlers that ask for order: one delivery of a key at a time, the oldest first.

A delivery is first of its key when none that is older waits. One worker may take the first of a key together with
those that follow it, and runs them one after the other; nobody else takes any of them, as their first is taken.

Those that wait behind a first which is not to be had now (its retry is due later, or a worker has it) are put off until
it is, so that a key with thousands of them does not hide the other keys behind it.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection, transaction

from eventhub.handlers.claiming import LEASE_S, NOTE_LOST, Claim

# Rows looked at for those that are first of their key.
LOOKED_AT = 500
# A key that a worker has in hand is looked at again after this; that worker takes what follows by itself.
BUSY_S = 2.0
# So often the next rows are looked at when none of those before was first of its key.
MOST_LOOKS = 5


class _Candidate(msgspec.Struct, frozen=True):
    id: int
    order_key: str | None
    lease_until: datetime | None
    place: int
    # Of the first that waits of the same key; this row's own where it is the first, or has no key.
    first_id: int


def claim(handler_id: int, limit: int) -> Claim | None:
    """As ``claiming.claim``, in order."""
    for _ in range(MOST_LOOKS):
        with transaction.atomic():
            candidates = _candidates(handler_id)
            first = [one for one in candidates if one.first_id == one.id]
            _note_lost([one.id for one in first if one.lease_until is not None])
            fresh = [one for one in first if one.lease_until is None][:limit]
            ids = _with_followers(handler_id, fresh, limit)
            if ids:
                return Claim(ids, _lease(ids))
            behind = [one for one in candidates if one.first_id != one.id]
            _put_off(behind)
        if not behind:
            break
    return None


def _candidates(handler_id: int) -> list[_Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_waiting, and for each row one probe of delivery_in_order
            """
            WITH due AS (
                SELECT d.id, d.order_key, d.lease_until, d.due_at, d.place FROM handlers_delivery d
                WHERE d.handler_id = %(handler)s AND d.state = 'waiting' AND d.lost = 0 AND d.due_at <= now()
                  AND (d.lease_until IS NULL OR d.lease_until < now())
                ORDER BY d.due_at, d.place LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            )
            SELECT due.id, due.order_key, due.lease_until, due.place, CASE WHEN due.order_key IS NULL THEN due.id ELSE (
                SELECT f.id FROM handlers_delivery f
                WHERE f.handler_id = %(handler)s AND f.order_key = due.order_key AND f.state = 'waiting'
                ORDER BY f.place LIMIT 1) END
            FROM due ORDER BY due.due_at, due.place
            """,
            {"handler": handler_id, "limit": LOOKED_AT},
        )
        return [_Candidate(*row) for row in cursor.fetchall()]


def _with_followers(handler_id: int, first: Sequence[_Candidate], limit: int) -> list[int]:
    """The ids of `first`, each followed by those of its key that come next, `limit` in all."""
    keyed = [one for one in first if one.order_key is not None]
    room = (limit - len(first)) // len(keyed) if keyed else 0
    following = _following(handler_id, keyed, room) if room else {}
    return [id for one in first for id in (one.id, *following.get(one.id, ()))]


def _following(handler_id: int, first: Sequence[_Candidate], room: int) -> dict[int, list[int]]:
    """For each of `first`, those that come next of its key, as far as they can be had one after the other."""
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_in_order
            """
            SELECT key.first_id, next.id
            FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS key (name, first_id, first_place)
            CROSS JOIN LATERAL (
                SELECT id, place FROM handlers_delivery
                WHERE handler_id = %s AND order_key = key.name AND state = 'waiting' AND place > key.first_place
                ORDER BY place LIMIT %s
            ) AS next ORDER BY next.place
            """,
            [
                [one.order_key for one in first],
                [one.id for one in first],
                [one.place for one in first],
                handler_id,
                room,
            ],
        )
        wanted = cursor.fetchall()
        # Never waiting for a lock here: whoever holds one may wait for ours.
        cursor.execute(
            """
            SELECT id FROM handlers_delivery
            WHERE id = ANY(%s) AND state = 'waiting' AND lost = 0 AND lease_until IS NULL
              AND (due_at <= now() OR attempts = earlier_attempts)
            FOR UPDATE SKIP LOCKED
            """,
            [[id for _, id in wanted]],
        )
        free = {row[0] for row in cursor.fetchall()}
    following: dict[int, list[int]] = {}
    ended: set[int] = set()
    for first_id, id in wanted:
        if id not in free:
            ended.add(first_id)
        elif first_id not in ended:
            following.setdefault(first_id, []).append(id)
    return following


def _lease(ids: Sequence[int]) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE handlers_delivery SET lease_until = now() + %s * interval '1 second' WHERE id = ANY(%s)"
            " RETURNING lease_until",
            [LEASE_S, list(ids)],
        )
        lease_until: datetime = cursor.fetchall()[0][0]
    return lease_until


def _note_lost(ids: Sequence[int]) -> None:
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH lost AS (
                UPDATE handlers_delivery SET lost = 1, lease_until = NULL WHERE id = ANY(%s)
                RETURNING id, handler_id, attempts
            ) {NOTE_LOST.format(lost="lost")}
            """,  # noqa: S608 - a constant
            [list(ids)],
        )


def _put_off(behind: Sequence[_Candidate]) -> None:
    """Do not look at these again before the first of their key can be had."""
    if not behind:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE handlers_delivery d
            SET due_at = greatest(first.due_at, now() + %s * interval '1 second')
            FROM unnest(%s::bigint[], %s::bigint[]) AS behind (id, first_id)
            JOIN handlers_delivery first ON first.id = behind.first_id
            WHERE d.id = behind.id
            """,
            [BUSY_S, [one.id for one in behind], [one.first_id for one in behind]],
        )


def come_forward(handler_id: int, keys: Sequence[str]) -> None:
    """These keys have a new first, in the caller's transaction: it is due now, if it was put off.

    One that waits for its own retry goes on waiting.
    """
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_in_order
            """
            UPDATE handlers_delivery d SET due_at = now()
            FROM unnest(%s::text[]) AS key (name) CROSS JOIN LATERAL (
                SELECT id FROM handlers_delivery
                WHERE handler_id = %s AND order_key = key.name AND state = 'waiting' ORDER BY place LIMIT 1
            ) AS first
            WHERE d.id = first.id AND d.due_at > now() AND d.attempts = d.earlier_attempts
            """,
            [list(keys), handler_id],
        )
