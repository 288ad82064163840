"""Who serves a handler: each worker that does holds a numbered slot of it, over all machines.

A slot is an advisory lock of the worker's database session: whatever happens to the worker, its slot is free again. So
they say both how many serve a handler now, and, where it asks for a limit, that no more do.
"""

import random
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager

from django.db import connection

# Tells these locks from any others of the database.
SPACE = 0x48 << 48
SLOTS = 1_000
# Who finds so many slots taken, one after the other, by those who came at the same time, leaves it to them.
MOST_ASKED = 20


def taken() -> Mapping[int, Collection[int]]:
    """The numbers of the slots that are taken, by handler's id; a handler that nobody serves is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT number / %(slots)s, array_agg(number %% %(slots)s) FROM (
                SELECT ((classid::bigint << 32) | objid::bigint) - %(space)s AS number FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 1
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            ) AS locks WHERE number BETWEEN 0 AND (1::bigint << 48) GROUP BY 1
            """,
            {"slots": SLOTS, "space": SPACE},
        )
        return dict(cursor.fetchall())


@contextmanager
def slot(handler_id: int, concurrency: int | None, known: Collection[int] = ()) -> Generator[bool]:
    """Whether there is room for one more worker; the room is taken while inside.

    `known`: slots of which it is known that they are taken.
    """
    free = [number for number in range(concurrency or SLOTS) if number not in known]
    # In any order: workers that come at the same time rarely ask for the same first.
    asked = random.sample(free, min(len(free), MOST_ASKED))
    keys = (SPACE + handler_id * SLOTS + number for number in asked)
    mine = next((key for key in keys if _ask("pg_try_advisory_lock", key)), None)
    try:
        yield mine is not None
    finally:
        # With a session that is gone its locks are gone too.
        if mine is not None and connection.connection is not None and not connection.connection.closed:
            _ask("pg_advisory_unlock", mine)


def _ask(function: str, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [key])
        row = cursor.fetchone()
    return bool(row and row[0])
