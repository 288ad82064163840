"""What became of a batch, written down in its transaction: marks, attempts, rollups, dead letters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection

from dlq import outcomes
from dlq.text import storable
from eventhub.events.receipts import Receipt
from eventhub.handlers import burial
from eventhub.handlers.attempting import Attempted
from eventhub.handlers.models import State
from eventhub.handlers.registry import Subscription
from eventhub.handlers.retry import RetryIn
from monitoring.rollups import writing
from monitoring.rollups.histogram import bucket_of
from monitoring.rollups.writing import Tallies

if TYPE_CHECKING:
    from eventhub.handlers.working import Held

Ended = Sequence[tuple["Held", Attempted]]


def settle(subscription: Subscription, handler_id: int, ended: Ended) -> None:
    """Write down how these attempts ended. A handful of statements, however many they are."""
    if not ended:
        return
    now = datetime.now(UTC)
    dead = [(held, result) for held, result in ended if _state(result) is State.DEAD]
    _mark(ended, now)
    _note_attempts(handler_id, ended, now)
    writing.add(_tallies(subscription.name, ended), origin_id=None, broker="", at=now)
    if dead:
        burial.bury(subscription.name, dead, now)
    repaired = [
        _receipt(subscription.name, held, result, now)
        for held, result in ended
        if result.succeeded and held.earlier_attempts
    ]
    if repaired:
        outcomes.observe([], repaired)


def mark_gone(delivery_id: int) -> None:
    """Its event is not there any more: there is nothing to handle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE handlers_delivery SET state = 'gone', lease_until = NULL, finished_at = now() WHERE id = %s",
            [delivery_id],
        )


def _state(result: Attempted) -> State:
    if result.succeeded:
        return State.DONE
    return State.WAITING if isinstance(result.decision, RetryIn) else State.DEAD


def _mark(ended: Ended, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE handlers_delivery d
            SET state = result.state, due_at = coalesce(result.due_at, d.due_at), attempts = d.attempts + 1,
                lease_until = NULL, lost = 0,
                finished_at = CASE WHEN result.state <> 'waiting' THEN %s::timestamptz END
            FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS result (id, state, due_at)
            WHERE d.id = result.id
            """,
            [
                now,
                [held.id for held, _ in ended],
                [_state(result).value for _, result in ended],
                [_due_at(result, now) for _, result in ended],
            ],
        )


def _due_at(result: Attempted, now: datetime) -> datetime | None:
    return now + timedelta(seconds=result.decision.delay_s) if isinstance(result.decision, RetryIn) else None


def _note_attempts(handler_id: int, ended: Ended, now: datetime) -> None:
    failures = [result.failure for _, result in ended]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO handlers_attempt
                (delivery_id, handler_id, number, outcome, ended_at, duration_s, will_retry, error_class,
                 error_message, stack)
            SELECT id, %s, number, outcome, %s, duration_s, will_retry, error_class, error_message, stack
            FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::float8[], %s::bool[], %s::text[], %s::text[],
                        %s::text[])
                AS ended (id, number, outcome, duration_s, will_retry, error_class, error_message, stack)
            """,
            [
                handler_id,
                now,
                [held.id for held, _ in ended],
                [held.attempts + 1 for held, _ in ended],
                ["succeeded" if result.succeeded else "failed" for _, result in ended],
                [result.duration_s for _, result in ended],
                [isinstance(result.decision, RetryIn) for _, result in ended],
                [storable(failure.error_class) if failure else "" for failure in failures],
                [storable(failure.message) if failure else "" for failure in failures],
                [storable(failure.stack) if failure else "" for failure in failures],
            ],
        )


def _tallies(name: str, ended: Ended) -> Tallies:
    """Handled, failed and how long it took, where receipts of other services are counted too."""
    tallies = Tallies()
    for held, result in ended:
        tally = tallies[held.event_type, name]
        tally.handled += result.succeeded
        tally.failed += not result.succeeded
        tally.dead_letters += _state(result) is State.DEAD
        tally.processing[bucket_of(result.duration_s)] += 1
    return tallies


def _receipt(name: str, held: "Held", result: Attempted, now: datetime) -> Receipt:
    assert held.event is not None
    return Receipt(
        event_id=held.event.event_id,
        event_type=held.event_type,
        service=name,
        succeeded=True,
        duration_s=result.duration_s,
        attempt=held.attempts + 1,
        error_class="",
        error_message="",
        will_retry=None,
        at=now,
    )
