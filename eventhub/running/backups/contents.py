"""What is in a database: of each table the number of its rows and a hash of all of them, in whatever order they lie.

Two databases hold the same when these are the same: text of every row, hashed and added up.
"""

from typing import Any

import msgspec
import psycopg
from psycopg import sql

# How values are written must not depend on a server's settings.
_ALIKE = (
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
)
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1
"""
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"


class Table(msgspec.Struct, frozen=True):
    """A table, or one partition of one."""

    rows: int
    hash: str


class Contents(msgspec.Struct, frozen=True):
    """Everything that a backup holds, by name."""

    tables: dict[str, Table]
    # At least.
    sequences: dict[str, int | None]

    @property
    def rows(self) -> int:
        """In all tables."""
        return sum(table.rows for table in self.tables.values())


def sequences(database: "psycopg.Connection[Any]") -> dict[str, int | None]:
    """Where each sequence stands. They know no transactions: they are read before a dump, and go on meanwhile."""
    return dict(_rows(database, _SEQUENCES))


def read(database: "psycopg.Connection[Any]", stood: dict[str, int | None] | None = None) -> Contents:
    """Count and hash everything as this transaction sees it, each row once. `stood`: `sequences`, read before."""
    for setting in _ALIKE:
        database.execute(setting)
    names = [row[0] for row in _rows(database, _TABLES)]
    tables = {}
    for name in names:
        query = sql.SQL(
            "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint::numeric), 0)::text"
            " FROM ONLY {} AS t"
        ).format(sql.Identifier(name))
        rows, hashed = _rows(database, query)[0]
        tables[name] = Table(rows, hashed)
    return Contents(tables, sequences(database) if stood is None else stood)


def differences(wanted: Contents, found: Contents) -> list[str]:
    """Where `found` is not what was `wanted`, a sentence each."""
    told = []
    for name in sorted(wanted.tables.keys() | found.tables.keys()):
        before, after = wanted.tables.get(name), found.tables.get(name)
        if before is None or after is None:
            told.append(f"{name} is {'not in the backup' if before is None else 'missing'}")
        elif before.rows != after.rows:
            told.append(f"{name} has {after.rows:,} rows instead of {before.rows:,}")
        elif before.hash != after.hash:
            told.append(f"{name} has other content, in {after.rows:,} rows")
    told += [
        f"the sequence {name} stands at {found.sequences.get(name)}, behind {last}"
        for name, last in wanted.sequences.items()
        if (found.sequences.get(name) or 0) < (last or 0)
    ]
    return told


def _rows(database: "psycopg.Connection[Any]", query: Any) -> list[tuple[Any, ...]]:
    return database.execute(query).fetchall()
