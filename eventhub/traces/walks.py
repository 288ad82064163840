"""Ways back through the past to find traces by, each along an index, each in pieces of bounded work.

A walk yields candidates, the latest first. Its key is what the walk is ordered by; a trace has its place in a list
where the walk meets it first, so a key is also the cursor of a page.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
from django.db import connection

from dlq.models import DeadLetter
from eventhub.events.queries import StoredEvent
from eventhub.traces.assemble import Letter, Trace
from eventhub.traces.query import Absence

# The walk's order: (txid, position) or (microseconds since 1970, position).
Key = tuple[int, int]
END: Key = (2**62, 2**62)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What PostgreSQL checks on each event that a walk passes, so that the rest never leaves it."""

    # In lower case; somewhere in ids, type, service, stream or payload.
    word: str = ""
    service: str = ""
    # Only events without a correlation id, instead of only those with one.
    uncorrelated: bool = False
    # Only events that were not followed by another type in time.
    absence: Absence | None = None


class Candidate(msgspec.Struct, frozen=True):
    """An event that was passed. `wanted` tells whether its trace is worth loading."""

    key: Key
    at: datetime
    correlation_id: str | None
    event_id: str
    wanted: bool


class Walk(Protocol):
    """One way back."""

    def before(self, key: Key, size: int) -> list[Candidate]:
        """At most `size` events below `key`, the latest first; fewer only at the end of the way."""
        ...

    def key_of(self, trace: Trace, events: Sequence[StoredEvent]) -> Key:
        """Where this walk meets the trace first."""
        ...

    def passed(self, correlation_id: str, key: Key) -> bool:
        """Whether the walk met this trace at `key` or above; for traces too large to be loaded whole."""
        ...


_TEXT = """lower(concat_ws(' ', correlation_id, event_id, event_type, source, stream,
    CASE WHEN pg_column_size(data) < 100000 THEN data::text END))"""


def _check(wanted: Wanted) -> tuple[str, list[Any]]:
    """The condition on one event, as SQL and its values."""
    parts = ["correlation_id IS NULL" if wanted.uncorrelated else "correlation_id IS NOT NULL"]
    values: list[Any] = []
    if wanted.uncorrelated:
        parts.append("event_type NOT LIKE 'eventhub.%%'")
    if wanted.service:
        # A service takes part by publishing, or by reporting a delivery.
        parts.append("(source = %s OR event_type LIKE 'eventhub.delivery.%%' AND data->>'service' = %s)")
        values += [wanted.service, wanted.service]
    if wanted.word:
        parts.append(f"strpos({_TEXT}, %s) > 0")
        values.append(wanted.word)
    if wanted.absence:
        # Index events_event_correlation, in the partitions of the time allowed.
        parts.append(
            """occurred_at < now() - make_interval(secs => %s) AND NOT EXISTS (
                SELECT 1 FROM events_event AS answer WHERE answer.correlation_id = found.correlation_id
                AND answer.event_type = %s AND answer.occurred_at >= found.occurred_at
                AND answer.occurred_at <= found.occurred_at + make_interval(secs => %s))"""
        )
        values += [wanted.absence.within_s, wanted.absence.absent, wanted.absence.within_s]
    return f"({' AND '.join(parts)})", values


class LogWalk:
    """All events, as recorded: index events_event_log (txid, position), backwards."""

    def __init__(self, wanted: Wanted) -> None:
        self._check, self._values = _check(wanted)

    def before(self, key: Key, size: int) -> list[Candidate]:
        """The events recorded before `key`."""
        rows = select(
            f"""SELECT txid::text::bigint, position, recorded_at, correlation_id, event_id, {self._check}
                FROM events_event WHERE (txid, position) < (%s::xid8, %s)
                ORDER BY events_event.txid DESC, position DESC LIMIT %s""",  # noqa: S608 - our own conditions
            [*self._values, str(key[0]), key[1], size],
        )
        return [Candidate((txid, position), at, *rest) for txid, position, at, *rest in rows]

    def key_of(self, trace: Trace, events: Sequence[StoredEvent]) -> Key:
        """Its event that was recorded last."""
        return max(((event.txid, event.position) for event in events), default=END)

    def passed(self, correlation_id: str, key: Key) -> bool:
        """Index events_event_correlation, until one is found."""
        return bool(
            select(
                """SELECT 1 FROM (SELECT txid, position FROM events_event WHERE correlation_id = %s OFFSET 0) AS mine
                   WHERE (txid, position) >= (%s::xid8, %s) LIMIT 1""",
                [correlation_id, str(key[0]), key[1]],
            )
        )


class TypeWalk:
    """The events of some types by time of occurrence: index events_event_type (event_type, occurred_at)."""

    def __init__(
        self, types: Sequence[str], wanted: Wanted, start: datetime | None = None, end: datetime | None = None
    ) -> None:
        self._types = list(types)
        self._kinds = frozenset(types)
        self._check, self._values = _check(wanted)
        self._start, self._end = start or _EPOCH, end or _LATEST

    def before(self, key: Key, size: int) -> list[Candidate]:
        """The events of these types that occurred before `key`."""
        at = min(moment_of(key[0]), self._end)
        rows = select(
            f"""SELECT found.occurred_at, position, correlation_id, event_id, {self._check}
                FROM unnest(%s::text[]) AS wanted(type) CROSS JOIN LATERAL (
                    SELECT * FROM events_event
                    WHERE event_type = wanted.type AND occurred_at >= %s AND occurred_at <= %s
                        AND (occurred_at, position) < (%s, %s) AND occurred_at < %s
                    ORDER BY occurred_at DESC, position DESC LIMIT %s
                ) AS found ORDER BY found.occurred_at DESC, position DESC LIMIT %s""",  # noqa: S608 - as above
            [*self._values, self._types, self._start, at, moment_of(key[0]), key[1], self._end, size, size],
        )
        return [Candidate((micros_of(at), position), at, *rest) for at, position, *rest in rows]

    def key_of(self, trace: Trace, events: Sequence[StoredEvent]) -> Key:
        """Its last event of these types within the range."""
        return max(
            (
                (micros_of(event.occurred_at), event.position)
                for event in events
                if event.event_type in self._kinds and event.occurred_at < self._end
            ),
            default=END,
        )

    def passed(self, correlation_id: str, key: Key) -> bool:
        """Index events_event_correlation, until one is found."""
        return bool(
            select(
                """SELECT 1 FROM (
                       SELECT event_type, occurred_at, position FROM events_event WHERE correlation_id = %s OFFSET 0
                   ) AS mine
                   WHERE event_type = ANY(%s) AND (occurred_at, position) >= (%s, %s) AND occurred_at < %s LIMIT 1""",
                [correlation_id, self._types, moment_of(key[0]), key[1], self._end],
            )
        )


class TroubleWalk:
    """What went wrong: the events that say so, and the dead letters, by time."""

    def __init__(
        self, types: Sequence[str], wanted: Wanted, start: datetime | None = None, end: datetime | None = None
    ) -> None:
        self._events = TypeWalk(types, wanted, start, end)
        self._start, self._end = start or _EPOCH, end or _LATEST

    def before(self, key: Key, size: int) -> list[Candidate]:
        """Events and letters before `key`, as far down as both are known."""
        events, letters = self._events.before(key, size), self._letters(key, size)
        known_down_to = max(
            (full[-1].key for full in (events, letters) if len(full) == size), default=(-1, -1)
        )
        merged = [candidate for candidate in (*events, *letters) if candidate.key >= known_down_to]
        return sorted(merged, key=lambda candidate: candidate.key, reverse=True)

    def _letters(self, key: Key, size: int) -> list[Candidate]:
        """Newest first by primary key, which is the order in which they were recorded."""
        at = moment_of(key[0])
        rows = (
            DeadLetter.objects.filter(
                recorded_at__gte=self._start, recorded_at__lte=at, recorded_at__lt=self._end
            )
            .order_by("-id")
            .values_list("id", "recorded_at", "correlation_id", "event_id")[:size]
        )
        return [
            Candidate(
                (micros_of(recorded_at), number),
                recorded_at,
                correlation_id,
                event_id or "",
                bool(correlation_id),
            )
            for number, recorded_at, correlation_id, event_id in rows
            if (micros_of(recorded_at), number) < key
        ]

    def key_of(self, trace: Trace, events: Sequence[StoredEvent]) -> Key:
        """Its last bad news or dead letter."""
        keys = [(micros_of(letter.recorded_at), letter.id) for letter in self._within(trace.letters)]
        by_event = self._events.key_of(trace, events)
        return max([*keys, by_event] if by_event != END else keys, default=END)

    def _within(self, letters: Sequence[Letter]) -> list[Letter]:
        return [letter for letter in letters if letter.recorded_at < self._end]

    def passed(self, correlation_id: str, key: Key) -> bool:
        """As its events did; letters of a trace that large are few."""
        return self._events.passed(correlation_id, key)


def select(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def micros_of(at: datetime) -> int:
    """Microseconds since 1970, as keys by time hold them."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment_of(micros: int) -> datetime:
    """The moment in a key; the end of keys is the end of time."""
    return min(_EPOCH + timedelta(microseconds=min(micros, 250_000_000_000_000_000)), _LATEST)
