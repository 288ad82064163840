"""Snapshots: the state of a stream at a version, so that reading it need not begin at the beginning.

They may be deleted at any time; nothing but speed is lost, unless retention dropped the events before them.
"""

from typing import Any, TypeVar

import msgspec
from django.db import connection

A = TypeVar("A")

# Older ones of the same stream go when one is taken; a few stay for looking back in time.
KEEP = 5


def take(stream: str, form: str, version: int, state: Any) -> None:
    """Keep `state` as that of `stream` at `version`. Raises TypeError when it cannot be written as JSON."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sourcing_snapshot (stream, kind, version, state) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [stream, form, version, msgspec.json.encode(state).decode()],
        )
        cursor.execute(  # snapshot_once
            "DELETE FROM sourcing_snapshot WHERE stream = %s AND kind = %s AND version <= ("
            " SELECT version FROM sourcing_snapshot WHERE stream = %s AND kind = %s"
            " ORDER BY version DESC OFFSET %s LIMIT 1)",
            [stream, form, stream, form, KEEP],
        )


def latest(stream: str, form: str, kind: type[A], until: int | None) -> tuple[A, int] | None:
    """The newest kept state of `stream` not beyond version `until`, and its version; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(  # snapshot_once
            "SELECT state::text, version FROM sourcing_snapshot WHERE stream = %s AND kind = %s"
            " AND (%s::bigint IS NULL OR version <= %s) ORDER BY version DESC LIMIT 1",
            [stream, form, until, until],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    try:
        return msgspec.json.decode(row[0], type=kind), row[1]
    except msgspec.ValidationError:  # of a form that the class no longer has: begin at the beginning
        return None
