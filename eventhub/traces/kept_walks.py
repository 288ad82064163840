"""Ways back along what was kept beside the events: values of searchable attributes, and traces with slow hops."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from eventhub.events.queries import StoredEvent
from eventhub.traces.assemble import Trace
from eventhub.traces.models import SearchableAttribute
from eventhub.traces.walks import END, Candidate, Key, micros_of, moment_of, select

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class AttributeWalk:
    """The events with some value of the first attribute, by time; their traces hold the others as well."""

    def __init__(
        self, wanted: Sequence[tuple[str, str]], start: datetime | None = None, end: datetime | None = None
    ) -> None:
        names = {name for name, _ in wanted}
        declared = SearchableAttribute.objects.filter(name__in=names).values_list("name", "id")
        ids: dict[str, list[int]] = {name: [] for name in names}
        for name, number in declared:
            ids[name].append(number)
        self._first, *others = [(ids[name], value) for name, value in wanted]
        self._start, self._end = start or _EPOCH, end or _LATEST
        # Also attribute_value_once; the values that people look for are on few events.
        self._others = " ".join(
            """AND kept.correlation_id IN (SELECT correlation_id FROM traces_attributevalue
               WHERE attribute_id = ANY(%s) AND value = %s)"""
            for _ in others
        )
        self._values: list[Any] = [part for other in others for part in other]

    def before(self, key: Key, size: int) -> list[Candidate]:
        """The events with the value that occurred before `key`."""
        at = moment_of(key[0])
        # attribute_value_once (attribute_id, value, occurred_at, position), backwards, for each declaration.
        rows = select(
            f"""SELECT kept.occurred_at, kept.position, correlation_id, event_id
                FROM unnest(%s::bigint[]) AS declared (id) CROSS JOIN LATERAL (
                    SELECT occurred_at, position, correlation_id, event_id FROM traces_attributevalue
                    WHERE attribute_id = declared.id AND value = %s
                        AND occurred_at >= %s AND occurred_at < %s AND (occurred_at, position) < (%s, %s)
                    ORDER BY occurred_at DESC, position DESC LIMIT %s
                ) AS kept WHERE kept.correlation_id IS NOT NULL {self._others}
                ORDER BY kept.occurred_at DESC, kept.position DESC LIMIT %s""",  # noqa: S608 - our own conditions
            [*self._first, self._start, self._end, at, key[1], size, *self._values, size],
        )
        return [
            Candidate((micros_of(at), place), at, name, event_id, True) for at, place, name, event_id in rows
        ]

    def key_of(self, trace: Trace, events: Sequence[StoredEvent]) -> Key:
        """Where it is met first is asked of the table, for the trace does not tell."""
        rows = select(
            """SELECT occurred_at, position FROM traces_attributevalue
               WHERE attribute_id = ANY(%s) AND value = %s AND occurred_at < %s AND correlation_id = %s
               ORDER BY occurred_at DESC, position DESC LIMIT 1""",
            [*self._first, self._end, trace.correlation_id],
        )
        return (micros_of(rows[0][0]), rows[0][1]) if rows else END

    def passed(self, correlation_id: str, key: Key) -> bool:
        """As `key_of` does."""
        return bool(
            select(
                """SELECT 1 FROM traces_attributevalue
                   WHERE attribute_id = ANY(%s) AND value = %s AND correlation_id = %s
                       AND (occurred_at, position) >= (%s, %s) AND occurred_at < %s LIMIT 1""",
                [*self._first, correlation_id, moment_of(key[0]), key[1], self._end],
            )
        )


class SlowWalk:
    """The traces in which a hop took much longer than such hops do, by their last event: index instance_slow."""

    def __init__(self, start: datetime | None = None, end: datetime | None = None) -> None:
        self._start, self._end = start or _EPOCH, end or _LATEST

    def before(self, key: Key, size: int) -> list[Candidate]:
        """The slow traces whose last event was before `key`."""
        rows = select(
            """SELECT last_at, id, correlation_id FROM traces_instance
               WHERE slow_hops <> '[]'::jsonb AND last_at >= %s AND last_at < %s AND last_at <= %s
                   AND (last_at, id) < (%s, %s)
               ORDER BY last_at DESC, id DESC LIMIT %s""",
            [self._start, self._end, moment_of(key[0]), moment_of(key[0]), key[1], size],
        )
        return [Candidate((micros_of(at), number), at, name, "", True) for at, number, name in rows]

    def key_of(self, trace: Trace, events: Sequence[StoredEvent]) -> Key:
        """Its only place: a trace has one row."""
        rows = select(
            "SELECT last_at, id FROM traces_instance WHERE correlation_id = %s AND slow_hops <> '[]'::jsonb",
            [trace.correlation_id],
        )
        return (micros_of(rows[0][0]), rows[0][1]) if rows else END

    def passed(self, correlation_id: str, key: Key) -> bool:
        """Never twice: a trace has one row."""
        return False


def slow_among(correlation_ids: Collection[str]) -> set[str]:
    """Which of these traces hold a slow hop."""
    rows = select(
        "SELECT correlation_id FROM traces_instance WHERE correlation_id = ANY(%s) AND slow_hops <> '[]'::jsonb",
        [list(correlation_ids)],
    )
    return {name for (name,) in rows}
