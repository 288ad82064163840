"""One reader at a time, for what brokers do not share out among workers: held by a lock in PostgreSQL."""

from typing import Any

import psycopg
from django.db import connection


class SoleReader:
    """A database connection of its own, because the lock lives as long as the connection does.

    When it breaks, the lock is gone, and whoever held it learns so from the psycopg.Error of the next statement.
    """

    def __init__(self, purpose: str, name: str) -> None:
        """Connect. Among those of the same `purpose` and `name` one reads. Raises psycopg.Error."""
        self._key = (purpose, name)
        self._has_lock = False
        self.connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
            **_connection_params(), autocommit=True
        )

    def may_read(self) -> bool:
        """Whether this is the one that reads; asks for the lock when it is not yet. Raises psycopg.Error."""
        if not self._has_lock:
            row = self.connection.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", self._key
            ).fetchone()
            self._has_lock = bool(row and row[0])
        return self._has_lock

    def close(self) -> None:
        """Let go of the connection, and of the lock with it. Never raises."""
        self.connection.close()


def _connection_params() -> dict[str, Any]:
    """How Django connects, without its cursors and its ways of loading values."""
    params = connection.get_connection_params()
    return {name: value for name, value in params.items() if name not in {"cursor_factory", "context"}}
