"""A limit on how many workers run a handler at the same time, over all machines.

A slot is an advisory lock of the worker's database session: whatever happens to the worker, its slot is free again.
"""

import random
from collections.abc import Generator
from contextlib import contextmanager

from django.db import connection

# Tells these locks from any others of the database.
SPACE = 0x48 << 48
SLOTS = 1_000


@contextmanager
def slot(handler_id: int, concurrency: int | None) -> Generator[bool]:
    """Whether there is room for one more worker; the room is taken while inside."""
    if concurrency is None:
        yield True
        return
    taken = next((key for key in _keys(handler_id, concurrency) if _ask("pg_try_advisory_lock", key)), None)
    try:
        yield taken is not None
    finally:
        # With a session that is gone its locks are gone too.
        if taken is not None and connection.connection is not None and not connection.connection.closed:
            _ask("pg_advisory_unlock", taken)


def _keys(handler_id: int, concurrency: int) -> list[int]:
    # In any order: workers that come at the same time rarely ask for the same first.
    keys = [SPACE + handler_id * SLOTS + number for number in range(concurrency)]
    random.shuffle(keys)
    return keys


def _ask(function: str, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [key])
        row = cursor.fetchone()
    return bool(row and row[0])
