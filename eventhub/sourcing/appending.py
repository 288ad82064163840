"""Appending to streams with optimistic concurrency.

One call to the database (``sourcing_append``, migrations/0002): the stream's row moves from the expected version to the
new one and the events are stored, together. It joins the caller's transaction where there is one.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from random import random
from time import sleep
from typing import Any, ParamSpec, TypeVar

import msgspec
from django.db import DataError, IntegrityError, connection, transaction
from psycopg import errors

from eventhub.events import checks, partitions
from eventhub.events.envelope import Event, Undecodable
from eventhub.handlers import deliveries, registry
from eventhub.sourcing.errors import AlreadyAppended, BadEvent, StreamEnded, WrongVersion

P = ParamSpec("P")
T = TypeVar("T")

# Whatever version the stream is at.
ANY = -1
# The event that ends a stream.
TOMBSTONE = "eventhub.stream.ended"
LONGEST_WAIT_S = 0.5
NO_METADATA = msgspec.Raw(b"{}")
ATTEMPTS = 10


class New(msgspec.Struct, frozen=True):
    """An event to append. `data` is what can be written as JSON; what is left out is filled in."""

    event_type: str
    data: Any = None
    event_version: str | None = None
    # Timezone-aware; without one, now.
    occurred_at: datetime | None = None
    event_id: str = ""
    metadata: dict[str, Any] = {}


class Appended(msgspec.Struct, frozen=True):
    """What was appended: the stream's version now, and each event's id and position in the log, in their order."""

    stream: str
    version: int
    event_ids: list[str]
    positions: list[int]
    recorded_at: datetime


def append(
    stream: str,
    events: New | Sequence[New],
    *,
    expected: int = ANY,
    source: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> Appended:
    """Append `events` to `stream`, all or none, if it is at version `expected`: 0 is a new stream, ANY takes any.

    Handlers get them as they get any event. Raises WrongVersion, StreamEnded, AlreadyAppended and BadEvent; then
    nothing was appended. A transaction that it was called in lives on after the first two.
    """
    new = [events] if isinstance(events, New) else list(events)
    if not new:
        raise BadEvent("There is no event to append.")
    if expected < ANY:
        raise BadEvent(f"expected={expected}: a stream's version is 0 or more; ANY takes whatever it is.")
    try:
        rows = [_row(one) for one in new]
        checks.required("stream", stream)
        names = [checks.field(*pair) for pair in _names(source, correlation_id, causation_id)]
    except Undecodable as error:
        raise BadEvent(f"To {stream!r}: {error.reason}") from error
    planned = _planned(stream, new, rows, names)
    if not connection.in_atomic_block:
        partitions.ensure({row.at.astimezone(UTC).date() for row in rows})
    if planned is None:
        return _called(stream, expected, rows, names)
    with transaction.atomic():
        appended = _called(stream, expected, rows, names)
        deliveries.write(planned, None)
    return appended


def end(stream: str, *, reason: str, expected: int = ANY) -> Appended:
    """End `stream` with a tombstone: it stays readable, and takes no event any more. Retention drops it in its time.

    Raises WrongVersion and StreamEnded.
    """
    with transaction.atomic():
        appended = append(stream, New(TOMBSTONE, {"reason": reason}), expected=expected)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sourcing_stream SET ended_at = now() WHERE name = %s", [stream])
    return appended


def retrying(function: Callable[P, T], attempts: int = ATTEMPTS) -> Callable[P, T]:
    """`function`, called again when somebody else appended first: up to `attempts` times, after short random waits.

    It has to read the stream anew each time it is called, and must not be called inside a transaction that began before
    (there the database may show it the same again). Raises WrongVersion of the last attempt.
    """

    @wraps(function)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for number in range(attempts - 1):
            try:
                return function(*args, **kwargs)
            except WrongVersion:
                sleep(random() * min(LONGEST_WAIT_S, 0.002 * 2**number))  # noqa: S311 - jitter
        return function(*args, **kwargs)

    return attempt


class Row(msgspec.Struct, frozen=True):
    """An event as ``sourcing_append`` reads it."""

    id: str
    type: str
    ver: str | None
    at: datetime
    data: msgspec.Raw
    metadata: msgspec.Raw


def _row(new: New) -> Row:
    return Row(
        checks.field("event_id", new.event_id) or str(uuid.uuid4()),
        checks.required("event_type", new.event_type),
        checks.field("event_version", new.event_version),
        checks.instant("occurred_at", new.occurred_at) if new.occurred_at else datetime.now(UTC),
        _json(new.data),
        _json(new.metadata) if new.metadata else NO_METADATA,
    )


def _json(value: object) -> msgspec.Raw:
    encoded = msgspec.json.encode(value)
    if b"\\u0000" in encoded:
        checks.refuse_nul(encoded.decode())
    return msgspec.Raw(encoded)


def _names(
    source: str | None, correlation_id: str | None, causation_id: str | None
) -> list[tuple[str, str | None]]:
    return [("source", source), ("correlation_id", correlation_id), ("causation_id", causation_id)]


def _called(stream: str, expected: int, rows: Sequence[Row], names: Sequence[str | None]) -> Appended:
    times = [row.at for row in rows]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT outcome, version, positions, recorded"
                " FROM sourcing_append(%s, %s, %s::json, %s, %s, %s, %s, %s)",
                [stream, expected, msgspec.json.encode(rows).decode(), min(times), max(times), *names],
            )
            row = cursor.fetchone()
    except IntegrityError as error:
        detail = error.__cause__.diag.message_detail if isinstance(error.__cause__, errors.Error) else error
        raise AlreadyAppended(
            f"An event of these is stored already, so nothing was appended to {stream!r}: {detail}"
        ) from error
    except DataError as error:
        raise BadEvent(f"PostgreSQL cannot hold this: {str(error).splitlines()[0]}") from error
    assert row is not None  # a function gives one row
    outcome, version, positions, recorded_at = row
    if outcome == "conflict":
        raise WrongVersion(stream, expected, version)
    if outcome == "ended":
        raise StreamEnded(stream)
    return Appended(stream, version, [row.id for row in rows], positions, recorded_at)


def _planned(
    stream: str, new: Sequence[New], rows: Sequence[Row], names: Sequence[str | None]
) -> deliveries.Planned | None:
    """Which handlers get them; None for nobody."""
    types = {one.event_type for one in new}
    if not any(registry.subscribers(event_type) for event_type in types):
        return None
    source, correlation_id, causation_id = names
    events = [
        Event(
            row.id,
            row.type,
            row.at,
            source=source,
            correlation_id=correlation_id,
            causation_id=causation_id,
            stream=stream,
        )
        for row in rows
    ]
    return deliveries.plan(events, types)
