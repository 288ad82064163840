"""Series over rollups of one event type, service, source or broker, or of everything: what the Figures page draws."""

from collections import defaultdict
from typing import Any

import msgspec
from django.db import connection

from monitoring.rollups.histogram import percentile
from monitoring.rollups.reading import RECEIVED, Histogram
from monitoring.rollups.windows import Window

QUANTILES = (0.5, 0.95, 0.99)


class Choice(msgspec.Struct, frozen=True):
    """What is looked at; empty is everything."""

    event_type: str = ""
    service: str = ""
    origin_id: int | None = None
    broker: str = ""

    def where(self, window: Window) -> tuple[str, list[Any]]:
        """The condition on rollups and its values (index ``rollup_bucket``)."""
        parts, values = ["bucket >= %s", "bucket < %s"], [window.start, window.end]
        for column in self.__struct_fields__:
            if value := getattr(self, column):
                parts.append(f"{column} = %s")
                values.append(value)
        return " AND ".join(parts), values


class Counts(msgspec.Struct, frozen=True):
    """What happened in each step of a window."""

    received: list[int]
    duplicates: list[int]
    dead_letters: list[int]
    handled: list[int]
    failed: list[int]


def counts(window: Window, choice: Choice, *, system: bool = False) -> Counts:
    """Sums of each step. Receipts count for the types they are about, and as events only with `system`."""
    where, values = choice.where(window)
    columns = Counts.__struct_fields__
    received = "received" if system else RECEIVED
    sums = ", ".join(f"sum({received if name == 'received' else name})" for name in columns)
    rows = _by_step(f"SELECT t, {sums} FROM steps GROUP BY 1", where, values, window)  # noqa: S608 - constants
    found = {row[0]: row[1:] for row in rows}
    nothing = (0,) * len(columns)
    return Counts(*([int(found.get(t, nothing)[n]) for t in window.times] for n in range(len(columns))))


def quantiles(window: Window, choice: Choice, which: Histogram) -> list[list[float | None]]:
    """The p50, p95 and p99 of each step, in seconds; None where nothing was measured."""
    where, values = choice.where(window)
    parts = f"unnest({which}_buckets, {which}_counts) AS h(b, c)"
    select = f"SELECT t, h.b, sum(h.c) FROM steps, {parts} GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608 - constants
    rows = _by_step(select, where, values, window)
    shapes: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for t, bucket, count in rows:
        shapes[t][0].append(bucket)
        shapes[t][1].append(int(count))
    return [[percentile(*shapes[t], q) if t in shapes else None for t in window.times] for q in QUANTILES]


def _by_step(select: str, where: str, values: list[Any], window: Window) -> list[tuple[Any, ...]]:
    sql = f"""
        WITH steps AS (
            SELECT (floor(extract(epoch FROM bucket) / %s) * %s)::bigint AS t, * FROM rollups_rollup WHERE {where}
        ) {select}"""  # noqa: S608 - constants and placeholders
    with connection.cursor() as cursor:
        cursor.execute(sql, [window.step_s, window.step_s, *values])
        return list(cursor.fetchall())
