"""What lies on the disk: the database, its tables, each day of events; and how much room there is."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection

from eventhub.events.partitions import day_of

GIGABYTE = 1_000_000_000


class Table(msgspec.Struct, frozen=True):
    """A table with its indexes and what is stored beside it; of a partitioned one, all of it."""

    name: str
    size_bytes: int
    # As PostgreSQL's statistics have it: near enough, and without reading the table.
    rows: int


class Partition(msgspec.Struct, frozen=True):
    """A day of events; without `day` the partition of the absurd times."""

    name: str
    day: date | None
    size_bytes: int
    rows: int


class Room(msgspec.Struct, frozen=True):
    """How large the disk of the database is, and how much of it is free; None: nobody has said."""

    total_bytes: int | None
    free_bytes: int | None


def database_bytes() -> int:
    """The size of the database on the server's disk, without its write-ahead log."""
    return int(_rows("SELECT pg_database_size(current_database())")[0][0])


def tables() -> list[Table]:
    """All of them, the largest first."""
    return [
        Table(name, size, rows)
        for name, size, rows in _rows(
            """
            WITH RECURSIVE part (root, oid) AS (
                SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                UNION ALL SELECT part.root, i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid
            )
            SELECT root::regclass::text, sum(pg_total_relation_size(part.oid))::bigint AS size,
                   coalesce(sum(s.n_live_tup), 0)::bigint
            FROM part LEFT JOIN pg_stat_user_tables s ON s.relid = part.oid
            GROUP BY root ORDER BY size DESC, 1
            """
        )
    ]


def partitions() -> list[Partition]:
    """Of the events, the newest day first, the partition of the absurd times last."""
    found = [
        Partition(name, day_of(name), size, rows)
        for name, size, rows in _rows(
            """
            SELECT inhrelid::regclass::text, pg_total_relation_size(inhrelid), coalesce(s.n_live_tup, 0)
            FROM pg_inherits LEFT JOIN pg_stat_user_tables s ON s.relid = inhrelid
            WHERE inhparent = 'events_event'::regclass
            """
        )
    ]
    return sorted(found, key=lambda one: one.day or date.min, reverse=True)


def room(used_bytes: int) -> Room:
    """As DATABASE_DISK_GB says; else, of the embedded server, the disk that its folder is on."""
    if settings.DATABASE_DISK_GB:
        total = settings.DATABASE_DISK_GB * GIGABYTE
        return Room(total, max(0, total - used_bytes))
    folder = Path(settings.VAR_DIR) / "postgres"
    if folder.is_dir() and str(connection.settings_dict["HOST"]).startswith("/"):
        usage = shutil.disk_usage(folder)
        return Room(usage.total, usage.free)
    return Room(None, None)


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
