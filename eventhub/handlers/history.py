"""What handlers did with events: as the receipts that other services send, for traces; and what is still to come."""

from collections.abc import Collection
from datetime import datetime

import msgspec
from django.db import connection

from eventhub.events.receipts import Receipt
from eventhub.handlers.models import Handler, Outcome

# Of a handler's newest attempts, so many are looked at for its own, which bounds the cost of one that rarely runs.
LOOKED_AT = 20_000


class Pending(msgspec.Struct, frozen=True):
    """A delivery that waits."""

    handler: str
    due_at: datetime
    attempts: int
    in_hand: bool
    # What it waits for besides its time: "paused", "off", "stopped"; empty: a worker.
    held_by: str


class Seen(msgspec.Struct, frozen=True):
    """One attempt, for a list."""

    ended_at: datetime
    event_id: str
    event_type: str
    number: int
    outcome: str
    will_retry: bool
    duration_s: float | None
    error_class: str
    error_message: str


def receipts_of(event_ids: Collection[str]) -> list[Receipt]:
    """The attempts of all handlers at these events; one statement."""
    if not event_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_once, one probe an id; then the attempts' index on their delivery
            """
            SELECT d.event_id, d.event_type, handler.name, a.outcome, a.duration_s, a.number, a.error_class,
                   a.error_message, a.will_retry, a.ended_at
            FROM handlers_delivery d JOIN handlers_handler handler ON handler.id = d.handler_id
            JOIN handlers_attempt a ON a.delivery_id = d.id
            WHERE d.event_id = ANY(%s) ORDER BY a.id
            """,
            [list(event_ids)],
        )
        rows = cursor.fetchall()
    return [
        Receipt(
            event_id=event_id,
            event_type=event_type,
            service=name,
            succeeded=outcome == Outcome.SUCCEEDED,
            duration_s=duration_s,
            attempt=number,
            error_class=error_class,
            error_message=error_message,
            will_retry=will_retry if outcome != Outcome.SUCCEEDED else None,
            at=ended_at,
        )
        for (
            event_id, event_type, name, outcome, duration_s, number, error_class, error_message, will_retry, ended_at,
        ) in rows
    ]  # fmt: skip


def handlers_among(names: Collection[str]) -> set[str]:
    """Which of these names of services are handlers."""
    if not names:
        return set()
    return set(Handler.objects.filter(name__in=list(names)).values_list("name", flat=True))


def pending_of(event_id: str) -> list[Pending]:
    """The deliveries of this event that wait, by the handler's name."""
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_once
            """
            SELECT handler.name, d.due_at, d.attempts - d.earlier_attempts,
                   coalesce(d.lease_until > now(), false),
                   CASE WHEN NOT handler.enabled THEN 'off' WHEN handler.paused THEN 'paused'
                        WHEN handler.circuit <> 'closed' THEN 'stopped' ELSE '' END
            FROM handlers_delivery d JOIN handlers_handler handler ON handler.id = d.handler_id
            WHERE d.event_id = %s AND d.state = 'waiting' ORDER BY handler.name LIMIT 100
            """,
            [event_id],
        )
        return [Pending(*row) for row in cursor.fetchall()]


def latest_attempts(handler_id: int, limit: int) -> list[Seen]:
    """The handler's attempts among the newest `LOOKED_AT` of all handlers, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_SEEN} FROM (
                SELECT * FROM (SELECT * FROM handlers_attempt ORDER BY id DESC LIMIT %s) AS newest
                WHERE handler_id = %s ORDER BY id DESC LIMIT %s
            ) AS a JOIN handlers_delivery d ON d.id = a.delivery_id ORDER BY a.id DESC
            """,  # noqa: S608 - a constant
            [LOOKED_AT, handler_id, limit],
        )
        return [Seen(*row) for row in cursor.fetchall()]


def latest_failures(handler_id: int, limit: int) -> list[Seen]:
    """The handler's attempts that did not succeed, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(  # attempt_failed
            f"""
            SELECT {_SEEN} FROM (
                SELECT * FROM handlers_attempt WHERE handler_id = %s AND NOT outcome = 'succeeded'
                ORDER BY id DESC LIMIT %s
            ) AS a JOIN handlers_delivery d ON d.id = a.delivery_id ORDER BY a.id DESC
            """,  # noqa: S608 - a constant
            [handler_id, limit],
        )
        return [Seen(*row) for row in cursor.fetchall()]


_SEEN = """a.ended_at, d.event_id, d.event_type, a.number, a.outcome, a.will_retry, a.duration_s, a.error_class,
    a.error_message"""
