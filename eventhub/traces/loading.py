"""Reading what a trace is made of: its events, its dead letters, and what handlers did with them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection

from eventhub.events import queries
from eventhub.events.queries import StoredEvent
from eventhub.events.receipts import Receipt
from eventhub.handlers.history import receipts_of
from eventhub.traces.assemble import Letter, Trace, assemble
from eventhub.traces.flow.figures import usual_hops

# Of one trace on its own page, and of each in a list of traces.
MOST_EVENTS = 20_000
MOST_IN_LIST = 300
# Around an event on the event's own page.
MOST_AROUND = 2_000
MOST_LETTERS = 500

# Both indexes of dead letters, on correlation_id and on event_id, are named by the conditions they are read with.
_LETTERS = """SELECT correlation_id, id, status, reason, event_id, event_type, causation_id, event_source, failed_in,
    error_class, error_message, attempts, last_failed_at, recorded_at
    FROM dlq_deadletter WHERE """
_OF_CORRELATIONS = "correlation_id = ANY(%s)"
_OF_EVENTS = "event_id = ANY(%s)"


class Loaded(msgspec.Struct, frozen=True):
    """A trace and the stored events it was assembled from, receipts among them."""

    trace: Trace
    events: list[StoredEvent]


def load_trace(correlation_id: str, now: datetime, most: int | None = None) -> Loaded | None:
    """The trace with at most `most` (else `MOST_EVENTS`) events; None when nothing is known under this id."""
    most = most or MOST_EVENTS
    events = queries.events_by_correlation(correlation_id, most + 1)
    truncated = len(events) > most
    events = events[:most]
    ids = [event.event_id for event in events]
    # A letter from another team's queue may know the event's id and not its correlation.
    loose = [(f"correlation_id IS NULL AND {_OF_EVENTS}", ids)] if 0 < len(ids) <= MOST_IN_LIST else []
    letters = [letter for _, letter in _letters((_OF_CORRELATIONS, [correlation_id]), *loose)]
    attempts = receipts_of(ids)
    trace = assemble(
        correlation_id, events, letters, attempts, now=now, truncated=truncated, learned=_learned()
    )
    return Loaded(trace, events) if trace else None


def load_traces(correlation_ids: Sequence[str], now: datetime) -> dict[str, Loaded]:
    """Several traces for a list, each with at most `MOST_IN_LIST` events; a few statements for all."""
    events = queries.events_by_correlations(correlation_ids, MOST_IN_LIST + 1)
    letters: dict[str, list[Letter]] = defaultdict(list)
    for correlation_id, letter in _letters((_OF_CORRELATIONS, list(events))) if events else ():
        letters[correlation_id or ""].append(letter)
    attempts: dict[str, list[Receipt]] = defaultdict(list)
    for attempt in receipts_of([event.event_id for mine in events.values() for event in mine]):
        attempts[attempt.event_id].append(attempt)
    found: dict[str, Loaded] = {}
    learned = _learned()
    for correlation_id, mine in events.items():
        kept = mine[:MOST_IN_LIST]
        trace = assemble(
            correlation_id,
            kept,
            letters[correlation_id],
            [attempt for event in kept for attempt in attempts.get(event.event_id, ())],
            now=now,
            truncated=len(mine) > MOST_IN_LIST,
            learned=learned,
        )
        if trace:
            found[correlation_id] = Loaded(trace, kept)
    return found


def load_single(event: StoredEvent, now: datetime) -> Loaded:
    """An event without a correlation id as a trace of its own, with its dead letters."""
    letters = [letter for _, letter in _letters((_OF_EVENTS, [event.event_id]))]
    trace = assemble(event.event_id, [event], letters, receipts_of([event.event_id]), now=now)
    assert trace is not None
    return Loaded(trace, [event])


def _learned() -> dict[tuple[str, str], int]:
    """How often one type was seen to cause another."""
    return {hop: usual.count for hop, usual in usual_hops().items()}


def _letters(*which: tuple[str, list[str]]) -> list[tuple[str | None, Letter]]:
    """The newest letters to which any of the conditions (with its value) applies, with their correlation ids."""
    sql = " UNION ALL ".join(_LETTERS + condition for condition, _ in which)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{sql} ORDER BY id DESC LIMIT {MOST_LETTERS}",
            [value for _, value in which],
        )
        rows = cursor.fetchall()
    return [
        (
            correlation_id,
            Letter(
                id=number,
                status=status,
                reason=reason,
                event_id=event_id,
                event_type=event_type,
                causation_id=causation_id,
                source=source,
                failed_in=failed_in,
                error_class=error_class,
                error_message=error_message,
                attempts=attempts,
                failed_at=failed_at,
                recorded_at=recorded_at,
            ),
        )
        for (
            correlation_id, number, status, reason, event_id, event_type, causation_id, source, failed_in,
            error_class, error_message, attempts, failed_at, recorded_at,
        ) in rows
    ]  # fmt: skip
