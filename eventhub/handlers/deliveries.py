"""Deliveries are written with the events: ingest plans them while the batch before is written, and writes them in the
transaction that stores the batch. Where no handler wants any event of a batch, both cost nothing.
"""

from collections.abc import Collection, Sequence

import msgspec
from django.db import connection, transaction
from psycopg import errors

from eventhub.events.envelope import Event
from eventhub.handlers import registry, states, waking
from eventhub.handlers.registry import Subscription

COLUMNS = "handler_id, event_id, occurred_at, event_type, order_key"


class Planned(msgspec.Struct, frozen=True):
    """The deliveries of a batch of events, if all of them turn out to be new."""

    # For each row: the event's index in the batch, the handler's name, the row as COPY reads it.
    rows: Sequence[tuple[int, str, str]]


def plan(events: Sequence[Event], event_types: Collection[str]) -> Planned | None:
    """Who gets which of `events`, whose types are `event_types`; None where nobody gets any."""
    wanted = {name: found for name in event_types if (found := registry.subscribers(name))}
    if not wanted:
        return None
    ids = {name: row.pk for name, row in states.current().items() if row.enabled}
    nobody: tuple[Subscription, ...] = ()
    rows = [
        (index, subscription.name, _row(ids[subscription.name], subscription, event))
        for index, event in enumerate(events)
        for subscription in wanted.get(event.event_type, nobody)
        if subscription.name in ids
    ]
    return Planned(rows) if rows else None


def write(planned: Planned, stored: Collection[int] | None) -> int:
    """Write the deliveries of the events that were `stored` now (their indexes; None: all), in the caller's
    transaction; workers are woken when it commits. Returns how many were written.
    """
    rows = planned.rows if stored is None else [row for row in planned.rows if row[0] in stored]
    if not rows:
        return 0
    text = "".join([row for _, _, row in rows])
    if not _copied(text):
        _insert_missing(text)
    handlers = {name for _, name, _ in rows}
    transaction.on_commit(lambda: waking.wake(len(handlers)), robust=True)
    return len(rows)


def _copied(text: str) -> bool:
    """Whether all of them could be written at once."""
    try:
        with transaction.atomic():
            _copy("handlers_delivery", text)
    except errors.UniqueViolation:
        return False
    return True


def _insert_missing(text: str) -> None:
    """An event that retention dropped came once more: its old deliveries are there, and stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""CREATE TEMP TABLE IF NOT EXISTS staged_delivery ON COMMIT DELETE ROWS AS
                SELECT {COLUMNS} FROM handlers_delivery WITH NO DATA"""  # noqa: S608 - a constant
        )
        _copy("staged_delivery", text)
        cursor.execute(
            f"""INSERT INTO handlers_delivery ({COLUMNS}) SELECT {COLUMNS} FROM staged_delivery
                ON CONFLICT DO NOTHING"""  # noqa: S608 - a constant
        )


def _copy(table: str, text: str) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN") as copy:
        copy.write(text)


def _row(handler_id: int, subscription: Subscription, event: Event) -> str:
    # No text of an envelope holds a control character (eventhub/events/checks.py): only backslashes are to escape.
    key = subscription.order_key(event.correlation_id, event.stream)
    return (
        f"{handler_id}\t{_escaped(event.event_id)}\t{event.occurred_at.isoformat()}"
        f"\t{_escaped(event.event_type)}\t{NULL if key is None else _escaped(key)}\n"
    )


NULL = r"\N"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\") if "\\" in text else text
