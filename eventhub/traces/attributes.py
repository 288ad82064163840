"""Searchable attributes: values of payloads that people look for, in a narrow table beside the events.

Nothing is kept of a type that declares none. Ingest fills the table with one statement a batch, in the batch's own
transaction; a background job fills it for what was stored before. Both take the value out of the stored JSON the same
way, in PostgreSQL, so that what is found does not depend on when it came.
"""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from django.db import connection, transaction

from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.paths import touches
from eventhub.traces.models import SearchableAttribute

LONGEST_VALUE = 200
# How long ingest workers may not know of a new declaration; the job begins after that, so that nothing is missed.
KNOWN_AFTER_S = 10.0
# Events that one step of the job looks at, and how long one run of it works.
PIECE = 5_000
RUN_S = 4.0
_END = datetime(9999, 1, 1, tzinfo=UTC)

# The value at a path, as a person types it: lower case, nothing for objects, arrays and what is too long to be an id.
_VALUE = f"""CASE WHEN jsonb_typeof(e.data #> a.path) IN ('string', 'number', 'boolean')
    AND length(e.data #>> a.path) BETWEEN 1 AND {LONGEST_VALUE} THEN lower(e.data #>> a.path) END"""
_INTO = "traces_attributevalue (attribute_id, value, occurred_at, position, event_id, correlation_id)"


class Declared(msgspec.Struct, frozen=True):
    """A declaration, as ingest needs it."""

    id: int
    name: str
    event_type: str
    path: list[str]


class Declarations:
    """What is declared, read again every few seconds. One for each writer."""

    def __init__(self) -> None:
        self._read_at = -KNOWN_AFTER_S
        self._declared: list[Declared] = []
        self._types: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Read them again if it is time. Outside of the transaction that stores the batch."""
        if time.monotonic() - self._read_at < KNOWN_AFTER_S / 2:
            return
        self._declared = _searchable()
        self._types = frozenset(one.event_type for one in self._declared)
        self._read_at = time.monotonic()

    def fill(self, types: Collection[str]) -> None:
        """Keep the values of the events that this transaction has stored; `types` are those of the batch."""
        if not self._types.intersection(types):
            return
        wanted = [one for one in self._declared if one.event_type in types]
        with connection.cursor() as cursor:
            # Index events_event_log (txid, position): only the transaction's own rows, still in memory.
            cursor.execute(
                f"""INSERT INTO {_INTO}
                    SELECT id, value, occurred_at, position, event_id, correlation_id FROM (
                        SELECT a.id, {_VALUE} AS value, e.occurred_at, e.position, e.event_id, e.correlation_id
                        FROM events_event e JOIN {_DECLARED} ON a.event_type = e.event_type
                        WHERE e.txid = pg_current_xact_id()
                    ) AS found WHERE value IS NOT NULL ON CONFLICT DO NOTHING""",  # noqa: S608 - constants
                _as_parameters(wanted),
            )


# The declarations as a table: ids, types, and paths as JSON texts, for arrays of arrays must not differ in length.
_DECLARED = """(SELECT id, event_type, ARRAY(SELECT jsonb_array_elements_text(path::jsonb)) AS path
    FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (id, event_type, path)) AS a"""


def _as_parameters(declared: Sequence[Declared]) -> list[list[int] | list[str]]:
    return [
        [one.id for one in declared],
        [one.event_type for one in declared],
        [msgspec.json.encode(one.path).decode() for one in declared],
    ]


def fill_older(run_s: float = RUN_S, *, known_after_s: float = KNOWN_AFTER_S) -> bool:
    """Go on filling declarations for events that were stored before them; False when nothing is left to do.

    Progress is kept with each piece, so a crash repeats at most one piece, and repeating one changes nothing.
    """
    until = time.monotonic() + run_s
    ripe = datetime.now(UTC) - timedelta(seconds=known_after_s)
    waiting = SearchableAttribute.objects.filter(filled_at=None, created_at__lt=ripe).select_related(
        "event_type"
    )
    allowed = {one.id for one in _searchable()}
    for attribute in waiting.filter(pk__in=allowed).order_by("id"):
        while not _piece(attribute):
            if time.monotonic() > until:
                return True
    return False


def _piece(attribute: SearchableAttribute) -> bool:
    """Fill one more piece of one declaration, newest events first; True when it was the last."""
    name = attribute.event_type.name
    with transaction.atomic(), connection.cursor() as cursor:
        # Two workers do not fill the same piece.
        locked = (
            SearchableAttribute.objects.select_for_update(skip_locked=True).filter(pk=attribute.pk).first()
        )
        if locked is None or locked.filled_at:
            return True
        if locked.to_look_at is None:
            # Index events_event_type, without touching the table.
            cursor.execute("SELECT count(*) FROM events_event WHERE event_type = %s", [name])
            row = cursor.fetchone()
            locked.to_look_at = int(row[0]) if row else 0
        at, position = locked.reached_at or _END, locked.reached_position or 0
        # Index events_event_type (event_type, occurred_at), backwards.
        cursor.execute(
            f"""WITH piece AS MATERIALIZED (
                    SELECT occurred_at, position, event_id, correlation_id, event_type, data FROM events_event
                    WHERE event_type = %s AND occurred_at <= %s AND (occurred_at, position) < (%s, %s)
                    ORDER BY occurred_at DESC, position DESC LIMIT %s
                ), kept AS (
                    INSERT INTO {_INTO}
                    SELECT id, value, occurred_at, position, event_id, correlation_id FROM (
                        SELECT a.id, {_VALUE} AS value, e.occurred_at, e.position, e.event_id, e.correlation_id
                        FROM piece e CROSS JOIN (SELECT %s::bigint AS id, %s::text[] AS path) AS a
                    ) AS found WHERE value IS NOT NULL ON CONFLICT DO NOTHING
                )
                SELECT count(*), (array_agg(occurred_at ORDER BY occurred_at, position))[1],
                       (array_agg(position ORDER BY occurred_at, position))[1] FROM piece""",  # noqa: S608 - constants
            [name, at, at, position, PIECE, attribute.pk, attribute.path.split(".")],
        )
        count, reached_at, reached_position = cursor.fetchone() or (0, None, None)
        locked.looked_at += count
        if count:
            locked.reached_at, locked.reached_position = reached_at, reached_position
        if count < PIECE:
            locked.filled_at = datetime.now(UTC)
        locked.save()
        return count < PIECE


def _searchable() -> list[Declared]:
    """What is declared, but for fields that tell of a person: who could search by them would learn them by trying."""
    rows = SearchableAttribute.objects.values_list("id", "name", "event_type__name", "path")
    found = [Declared(id, name, event_type, path.split(".")) for id, name, event_type, path in rows]
    return [one for one in found if not is_personal(one.event_type, one.path)]


def is_personal(event_type: str, path: Sequence[str]) -> bool:
    """Whether a place in the data of this type is, holds or lies within a field that is marked as personal."""
    place = [int(step) if step.isdigit() else step for step in path]
    return any(touches(place, steps) for steps in fields.paths(event_type))


def forget_personal_values(event_type: str) -> None:
    """Take out what was filled of fields that have been marked as personal since."""
    for one in SearchableAttribute.objects.filter(event_type__name=event_type):
        if is_personal(event_type, one.path.split(".")):
            forget_values(one.pk)


def forget_values(attribute_id: int) -> None:
    """Take out what was filled for a declaration that is gone or points elsewhere now."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM traces_attributevalue WHERE attribute_id = %s", [attribute_id])


def drop_older_than(moment: datetime) -> int:
    """Take out the values of events that retention has dropped; how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM traces_attributevalue WHERE occurred_at < %s", [moment])
        return int(cursor.rowcount)


def names() -> list[str]:
    """The names that people can search by."""
    return sorted({one.name for one in _searchable()})


def ids_of(name: str) -> list[int]:
    """The declarations under a name: one for each event type that has it."""
    return [one.id for one in _searchable() if one.name == name]


def names_with(value: str) -> list[str]:
    """The names under which this very value is kept: what a bare word may mean."""
    with connection.cursor() as cursor:
        # attribute_value_once: one probe for each declaration.
        cursor.execute(
            """SELECT DISTINCT declared.name FROM traces_searchableattribute declared
               WHERE declared.id = ANY(%s) AND EXISTS (
                   SELECT 1 FROM traces_attributevalue kept
                   WHERE kept.attribute_id = declared.id AND kept.value = %s) ORDER BY 1""",
            [[one.id for one in _searchable()], value.lower()],
        )
        return [name for (name,) in cursor]
