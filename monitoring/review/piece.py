"""A piece of the log that the review reads at once: what the rules have in common is counted in one pass over it."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec
from django.db import connection

# The most events in one piece. Memory and the length of a transaction are bounded by it.
PIECE = 200_000
# The most (type, service, version)s of a piece that are told apart; the rarest of more are left out.
MOST_GROUPS = 5_000
# A recorded time before the event's own by more than this is no jitter of clocks.
FUTURE = "5 seconds"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one type, publisher and version in a piece."""

    event_type: str
    service: str
    version: str | None
    n: int
    no_correlation: int
    no_correlation_ids: Sequence[str]
    future: int
    future_ids: Sequence[str]
    # Those that came without a time of their own.
    undated: int
    undated_ids: Sequence[str]
    # How many were appended to streams here, and came from no source.
    own: int


class Piece:
    """The events after `start` up to `end` (txid, position), all settled."""

    def __init__(self, start: tuple[int, int], end: tuple[int, int], until: datetime) -> None:
        self.start = start
        self.end = end
        # When the last of them was recorded.
        self.until = until
        # What was looked up once for several rules.
        self.memory: dict[str, Any] = {}

    @cached_property
    def all_traffic(self) -> list[Traffic]:
        """Everything of the piece, counted by type, publisher and version: the one pass over all of it."""
        rows = self.select(
            f"""SELECT event_type, coalesce(source, ''), event_version, count(*),
                   count(*) FILTER (WHERE correlation_id IS NULL),
                   ARRAY[max(event_id COLLATE "C") FILTER (WHERE correlation_id IS NULL),
                         min(event_id COLLATE "C") FILTER (WHERE correlation_id IS NULL)],
                   count(*) FILTER (WHERE occurred_at > recorded_at + interval '{FUTURE}'),
                   ARRAY[max(event_id COLLATE "C") FILTER (WHERE occurred_at > recorded_at + interval '{FUTURE}')],
                   count(*) FILTER (WHERE is_undated),
                   ARRAY[max(event_id COLLATE "C") FILTER (WHERE is_undated), min(event_id COLLATE "C") FILTER (
                       WHERE is_undated)],
                   count(*) FILTER (WHERE origin_id IS NULL)
               FROM events_event WHERE {{piece}}
               GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT {MOST_GROUPS}"""  # noqa: S608 - constants
        )
        return [
            Traffic(
                event_type=event_type,
                service=service,
                version=version,
                n=n,
                no_correlation=bare,
                no_correlation_ids=[one for one in bare_ids if one],
                future=future,
                future_ids=[one for one in future_ids if one],
                undated=undated,
                undated_ids=[one for one in undated_ids if one],
                own=own,
            )
            for event_type, service, version, n, bare, bare_ids, future, future_ids, undated, undated_ids, own in rows
        ]

    @property
    def traffic(self) -> list[Traffic]:
        """The same without the hub's own events."""
        return [one for one in self.all_traffic if not one.event_type.startswith("eventhub.")]

    @cached_property
    def n(self) -> int:
        """How many events it holds."""
        return sum(one.n for one in self.all_traffic)

    def one_in(self, most: int) -> int:
        """Which share of keys to look at so that about `most` events are: one in 1, 2, 4, 8 …"""
        share = 1
        while self.n > most * share:
            share *= 2
        return share

    def select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement; `{piece}` in it is the condition that an event is of this piece.

        Index events_event_log (txid, position).
        """
        condition = (
            f"(events_event.txid, events_event.position) > ('{self.start[0]}'::xid8, {self.start[1]})"
            f" AND (events_event.txid, events_event.position) <= ('{self.end[0]}'::xid8, {self.end[1]})"
        )
        return select(sql.replace("{piece}", condition), *values)


def select(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement; % in it is written twice."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


def next_piece(after: tuple[int, int], settle_s: float, most: int = PIECE) -> Piece | None:
    """The piece of the log after a place; None when there is nothing yet.

    Only what is settled and was recorded `settle_s` ago is taken, so that an event and its cause, or the version
    before it, which took another way into the hub, are both there when they are looked at.
    """
    # events_event_log (txid, position): forwards over a full piece, without touching the table but for its last row; or
    # else backwards to the first that is old enough.
    new = "(txid, position) > (%s::text::xid8, %s) AND txid < pg_snapshot_xmin(pg_current_snapshot())"
    old = "recorded_at <= now() - make_interval(secs => %s)"
    values: list[Any] = [str(after[0]), after[1]]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT txid::text::bigint, position, recorded_at FROM events_event WHERE {old} AND (txid, position) = (
                    SELECT txid, position FROM events_event WHERE {new}
                    ORDER BY events_event.txid, position OFFSET %s LIMIT 1)""",  # noqa: S608 - constants
            [settle_s, *values, most - 1],
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute(
                f"""SELECT txid::text::bigint, position, recorded_at FROM events_event WHERE {new} AND {old}
                    ORDER BY events_event.txid DESC, position DESC LIMIT 1""",  # noqa: S608 - constants
                [*values, settle_s],
            )
            row = cursor.fetchone()
    return Piece(after, (row[0], row[1]), row[2]) if row else None
