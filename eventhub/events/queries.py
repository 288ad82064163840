"""Reading stored events. Every statement is bounded and names the index it walks.

The log order is (txid, position): what committed later never appears before a place that a reader has passed.
"""

# ruff: noqa: S608 - only column lists of this module are put into statements, values never

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from psycopg.types.datetime import TimestamptzLoader

# What is larger is left out of lists of events; the event's own page has it.
LIST_DATA_BYTES = 8_000


class LogKey(msgspec.Struct, frozen=True, order=True):
    """A place in the log: between what is before it and what comes after it."""

    txid: int
    position: int


END_OF_LOG = LogKey(2**62, 2**62)


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as it is stored. `data` and `metadata` are JSON texts; `data` is None where a list left it out."""

    event_id: str
    event_type: str
    event_version: str | None
    occurred_at: datetime
    recorded_at: datetime
    source: str | None
    correlation_id: str | None
    causation_id: str | None
    stream: str | None
    stream_version: int | None
    data: str | None
    data_bytes: int
    metadata: str
    message_key: str | None
    # A JSON text: an object, or [name, value] pairs where a name came twice. None: no headers.
    headers: str | None
    origin_id: int | None
    origin_topic: str | None
    origin_partition: int | None
    origin_offset: str | None
    txid: int
    position: int
    # Its producer told no time: `occurred_at` is the broker's, or that of its arrival.
    is_undated: bool | None = None

    @property
    def key(self) -> LogKey:
        """Its place in the log."""
        return LogKey(self.txid, self.position)

    @property
    def value(self) -> Any:
        """The data, decoded; None where it was left out."""
        return None if self.data is None else msgspec.json.decode(self.data)

    @property
    def metadata_value(self) -> Any:
        """The metadata, decoded."""
        return msgspec.json.decode(self.metadata)

    @property
    def headers_value(self) -> Any:
        """The headers, decoded; None where there are none."""
        return None if self.headers is None else msgspec.json.decode(self.headers)


_ENVELOPE = """event_id, event_type, event_version, occurred_at, recorded_at, source, correlation_id, causation_id,
    stream, stream_version"""
_PLACE = """message_key, headers::text, origin_id, origin_topic, origin_partition, origin_offset, txid::text::bigint,
    position, is_undated"""
# Whole events, for what shows a single one.
_WHOLE = f"""{_ENVELOPE}, COALESCE(data::text, 'null'), COALESCE(pg_column_size(data), 0), metadata::text, {_PLACE}"""
# Events of a list: pg_column_size reads no toasted value, so large data costs nothing here.
_LISTED = f"""{_ENVELOPE}, CASE WHEN data IS NULL THEN 'null'
    WHEN pg_column_size(data) <= {LIST_DATA_BYTES} THEN data::text END, COALESCE(pg_column_size(data), 0),
    metadata::text, {_PLACE}"""


def whole_events(rest: str, values: Sequence[Any]) -> list[StoredEvent]:
    """Whole events; `rest` is the statement's text behind ``FROM events_event``, and names the index it walks."""
    return _select(f"SELECT {_WHOLE} FROM events_event {rest}", values)


def events_by_id(event_id: str, limit: int = 20) -> list[StoredEvent]:
    """Every event stored under this id, the oldest first. More than one: the same id came with other times."""
    # Index events_event_once (event_id, occurred_at), in its order.
    return _select(
        f"SELECT {_WHOLE} FROM events_event WHERE event_id = %s ORDER BY occurred_at LIMIT %s",
        [event_id, limit],
    )


def events_by_ids(event_ids: Iterable[str], limit: int = 1_000) -> list[StoredEvent]:
    """The events stored under any of these ids, without large data."""
    ids = list(set(event_ids))
    if not ids:
        return []
    # Index events_event_once, one probe an id and day.
    return _select(f"SELECT {_LISTED} FROM events_event WHERE event_id = ANY(%s) LIMIT %s", [ids, limit])


def events_at(keys: Sequence[tuple[str, datetime]]) -> dict[tuple[str, datetime], StoredEvent]:
    """The whole events stored under these (event id, time of occurrence), as far as they are there."""
    # Index events_event_once. LIMIT keeps it a probe for each, in the partition of its day.
    found = _select(
        f"""SELECT event.* FROM unnest(%s::text[], %s::timestamptz[]) AS wanted (id, at)
            CROSS JOIN LATERAL (
                SELECT {_WHOLE} FROM events_event WHERE event_id = wanted.id AND occurred_at = wanted.at LIMIT 1
            ) AS event""",
        [[event_id for event_id, _ in keys], [at for _, at in keys]],
    )
    return {(event.event_id, event.occurred_at): event for event in found}


def events_by_correlation(correlation_id: str, limit: int) -> list[StoredEvent]:
    """The first `limit` events of a correlation as they lie in the table: day by day, about as recorded.

    Without ORDER BY on purpose: a correlation id that a producer never changes may be on millions of events, and
    sorting them would take as long as reading them. Callers sort what they get.
    """
    # Index events_event_correlation (correlation_id).
    return _select(
        f"SELECT {_LISTED} FROM events_event WHERE correlation_id = %s LIMIT %s", [correlation_id, limit]
    )


def count_of_correlation(correlation_id: str, most: int) -> int:
    """How many events a correlation has, counted no further than `most`."""
    with connection.cursor() as cursor:
        # Index events_event_correlation.
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM events_event WHERE correlation_id = %s LIMIT %s) AS found",
            [correlation_id, most],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def events_by_correlations(correlation_ids: Sequence[str], limit_each: int) -> dict[str, list[StoredEvent]]:
    """For each correlation id at most `limit_each` of its events, in no order; one statement for all."""
    found: dict[str, list[StoredEvent]] = {correlation_id: [] for correlation_id in correlation_ids}
    if not found:
        return found
    # Index events_event_correlation, one walk an id, each cut short by its own LIMIT.
    for event in _select(
        f"""SELECT e.* FROM unnest(%s::text[]) AS wanted(id)
            CROSS JOIN LATERAL (
                SELECT {_LISTED} FROM events_event WHERE correlation_id = wanted.id LIMIT %s
            ) AS e""",
        [list(found), limit_each],
    ):
        found[event.correlation_id or ""].append(event)
    return found


def correlation_in_log_order(
    correlation_id: str, limit: int, *, after: LogKey | None = None
) -> list[StoredEvent]:
    """The events of a correlation in the order they were recorded, those after `after`."""
    # Index events_event_correlation; OFFSET 0 keeps the planner from walking the whole log for its order instead.
    return _select(
        f"""SELECT {_WHOLE} FROM (
                SELECT * FROM events_event WHERE correlation_id = %s OFFSET 0
            ) AS found
            WHERE (txid, position) > (%s::xid8, %s) ORDER BY found.txid, position LIMIT %s""",
        [correlation_id, *_row(after), limit],
    )


def latest_events(limit: int, *, before: LogKey | None = None, whole: bool = False) -> list[StoredEvent]:
    """The events recorded last, the newest first, below `before`."""
    # Index events_event_log (txid, position), backwards.
    return _select(
        f"""SELECT {_WHOLE if whole else _LISTED} FROM events_event
            WHERE (txid, position) < (%s::xid8, %s)
            ORDER BY events_event.txid DESC, position DESC LIMIT %s""",
        [*_row(before or END_OF_LOG), limit],
    )


def log_after(
    after: LogKey | None, limit: int, *, event_type: str | None = None, scan: int = 10_000
) -> tuple[list[StoredEvent], LogKey | None]:
    """The events after a place in the log, in log order, and the place reached: where to go on from.

    Only settled ones, so a reader that goes on from there misses none, whatever commits late. With a type, at most
    `scan` events are looked at, so that a rare type costs no more than a common one; fewer events than `limit`
    therefore do not mean the end.
    """
    # Index events_event_log (txid, position), forwards. The last one looked at comes along, whatever its type:
    # it says how far this snapshot reached.
    seen = _select(
        f"""WITH settled AS MATERIALIZED (
                SELECT * FROM events_event
                WHERE (txid, position) > (%s::xid8, %s) AND txid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY txid, position LIMIT %s
            )
            SELECT {_WHOLE} FROM settled
            WHERE %s::text IS NULL OR event_type = %s
                OR (txid, position) = (
                    SELECT txid, position FROM settled AS last ORDER BY last.txid DESC, last.position DESC LIMIT 1
                )
            ORDER BY settled.txid, position LIMIT %s""",
        [*_row(after), scan if event_type else limit, event_type, event_type, limit],
    )
    events = [event for event in seen if event_type is None or event.event_type == event_type]
    return events, seen[-1].key if seen else after


def latest_of_type(
    event_type: str, limit: int, *, before: tuple[datetime, int] | None = None, whole: bool = False
) -> list[StoredEvent]:
    """The events of a type that occurred last, the latest first, below (occurred_at, position)."""
    below, values = "", list[Any]()
    if before:
        below, values = "AND occurred_at <= %s AND (occurred_at, position) < (%s, %s)", [before[0], *before]
    # Index events_event_type (event_type, occurred_at), backwards; position only breaks ties.
    return _select(
        f"""SELECT {_WHOLE if whole else _LISTED} FROM events_event WHERE event_type = %s {below}
            ORDER BY occurred_at DESC, position DESC LIMIT %s""",
        [event_type, *values, limit],
    )


def fewer_of(
    some: Sequence[str],
    others: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    most: int = 100,
) -> bool:
    """Whether there are fewer events of `some` types than of `others` in [start, end), counting at most `most`."""
    count = """(SELECT count(*) FROM (
        SELECT 1 FROM events_event WHERE event_type = ANY(%s)
            AND occurred_at >= %s::timestamptz AND occurred_at < %s::timestamptz LIMIT %s) AS counted)"""
    bounds = [start or "-infinity", end or "infinity", most]
    with connection.cursor() as cursor:
        # Index events_event_type, without touching the table.
        cursor.execute(f"SELECT {count} < {count}", [list(some), *bounds, list(others), *bounds])
        row = cursor.fetchone()
    return bool(row and row[0])


def _row(key: LogKey | None) -> tuple[str, int]:
    """A key as the parameters of ``(%s::xid8, %s)``; None is before everything."""
    return (str(key.txid), key.position) if key else ("0", 0)


def _select(sql: str, values: Sequence[Any]) -> list[StoredEvent]:
    with connection.cursor() as cursor:
        # Times are read in C: Django's own reading of them, in Python, takes as long as all other columns together.
        cursor.cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        cursor.execute(sql, values)
        return [StoredEvent(*row) for row in cursor.cursor]  # columns stand in the order of its fields
