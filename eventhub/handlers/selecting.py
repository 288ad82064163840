"""Which stored events a replay is about, found a stretch at a time in the order of their time of occurrence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from eventhub.handlers.patterns import matches
from eventhub.handlers.registry import Subscription
from eventhub.schemas.models import EventType


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Events for one handler; empty text and None leave out nothing."""

    event_types: Sequence[str] = ()
    correlation_id: str = ""
    service: str = ""
    since: datetime | None = None
    until: datetime | None = None


class BadSelection(ValueError):
    """The selection cannot be what was meant. The text says what to write instead."""


class Place(msgspec.Struct, frozen=True):
    """How far a walk has come: after the event at this time and position."""

    at: datetime | None
    position: int


class Found(msgspec.Struct, frozen=True):
    """One event of a selection: what a delivery of it needs."""

    event_id: str
    occurred_at: datetime
    event_type: str
    correlation_id: str | None
    stream: str | None
    position: int


def check(subscription: Subscription, selection: Selection) -> Selection:
    """`selection` with its types made explicit. Raises BadSelection."""
    if selection.since and selection.until and selection.since >= selection.until:
        raise BadSelection("The range ends before it begins.")
    foreign = [name for name in selection.event_types if not subscription.wants(name)]
    if foreign:
        raise BadSelection(
            f"{subscription.name} does not ask for {', '.join(foreign)}, only for {', '.join(subscription.patterns)}."
        )
    types = list(selection.event_types) or types_of(subscription)
    return msgspec.structs.replace(selection, event_types=types)


def types_of(subscription: Subscription) -> list[str]:
    """The types seen so far that the handler asks for."""
    names = EventType.objects.order_by("name").values_list("name", flat=True)
    return [name for name in names if matches(subscription.patterns, name)]


def walk(selection: Selection, after: Place, limit: int) -> list[Found]:
    """The next `limit` events of a checked selection, the earliest first."""
    sql, values = source_of(selection, after, limit)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT event_id, occurred_at, event_type, correlation_id, stream, position
                FROM {sql} ORDER BY occurred_at, position LIMIT %s""",  # noqa: S608 - put together from constants
            [*values, limit],
        )
        return [Found(*row) for row in cursor.fetchall()]


def source_of(selection: Selection, after: Place, limit_each: int) -> tuple[str, list[Any]]:
    """A FROM item, with its values, of the selection's events; of each type at most `limit_each`, the earliest."""
    where: list[str] = ["occurred_at < %s"]
    values: list[Any] = [selection.until]
    start = max(filter(None, (selection.since, after.at)), default=None)
    if start is not None:
        where.append("occurred_at >= %s")
        values.append(start)
    if after.at is not None:
        where.append("(occurred_at, position) > (%s, %s)")
        values += [after.at, after.position]
    if selection.service:
        where.append("source = %s")
        values.append(selection.service)
    conditions = " AND ".join(where)
    if selection.correlation_id:
        # Index events_event_correlation; OFFSET 0 keeps the planner from walking a type's whole index instead.
        sql = f"""(SELECT * FROM (
                SELECT * FROM events_event WHERE correlation_id = %s OFFSET 0
            ) AS correlated WHERE event_type = ANY(%s) AND {conditions}) AS event"""  # noqa: S608 - constants
        return sql, [selection.correlation_id, list(selection.event_types), *values]
    # Index events_event_type (event_type, occurred_at): one walk a type, each cut short by its own LIMIT.
    sql = f"""unnest(%s::text[]) AS wanted (name) CROSS JOIN LATERAL (
            SELECT * FROM events_event WHERE event_type = wanted.name AND {conditions}
            ORDER BY occurred_at, position LIMIT %s
        ) AS event"""  # noqa: S608 - constants
    return sql, [list(selection.event_types), *values, limit_each]
