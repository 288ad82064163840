"""The way back: a backup is looked at before it is trusted, restored into an empty database, and compared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from eventhub.running.backups import contents, programs
from eventhub.running.backups.programs import BackupFailed
from eventhub.running.backups.saving import DUMP, FORMAT, MANIFEST, Manifest, hash_of, seal

# Numbers of transactions that are used up in one statement, and the most that are at all (two hours).
XIDS_AT_ONCE = 100_000
MOST_XIDS = 500_000_000


def check(folder: Path) -> Manifest:
    """Whether the backup is whole and unaltered; its manifest. Raises BackupFailed. Touches no database."""
    file, dump = folder / MANIFEST, folder / DUMP
    if not folder.is_dir():
        raise BackupFailed(f"There is no folder {folder}.")
    if not file.exists():
        raise BackupFailed(
            f"{folder} is not whole: it has no {MANIFEST}, which is written last. The backup was cut off; take the "
            "one before."
        )
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, OSError) as error:
        raise BackupFailed(f"{file} cannot be read, so nothing can be compared with it: {error}") from error
    if manifest.format != FORMAT:
        raise BackupFailed(
            f"{folder} has format {manifest.format}; this version reads format {FORMAT}. Restore it with the version "
            "of EventHub that made it."
        )
    if seal(manifest) != manifest.sha256:
        raise BackupFailed(f"{file} was altered since the backup was made. Take another backup.")
    if not dump.exists():
        raise BackupFailed(f"{folder} is not whole: {DUMP} is missing.")
    size, digest = hash_of(dump)
    if size != manifest.dump_bytes:
        raise BackupFailed(
            f"{dump} is not whole: it has {size:,} bytes instead of {manifest.dump_bytes:,}. Copy it again."
        )
    if digest != manifest.dump_sha256:
        raise BackupFailed(
            f"{dump} was altered or damaged: its hash is not the manifest's. Take another copy."
        )
    programs.listing(dump, manifest.made_by)
    return manifest


def restore(folder: Path, say: Callable[[str], None] = lambda words: None) -> Manifest:
    """Restore into Django's database, which must be empty, and compare. Raises BackupFailed.

    A restore that fails on the way leaves the database empty; one that does not compare says where.
    """
    manifest = check(folder)
    if programs.server_version() < manifest.server:
        raise BackupFailed(
            f"The backup is of PostgreSQL {manifest.server}, this server is {programs.server_version()}. "
            "Restore into the same version or a newer one."
        )
    with psycopg.connect(**programs.connection_params(), autocommit=True) as database:
        taken = database.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'S', 'v')"
        ).fetchone()
        if taken and taken[0]:
            raise BackupFailed(
                f"The database is not empty: it has {taken[0]} tables and sequences. Nothing is written over; create "
                "an empty one (createdb NAME), let DATABASE_URL lead to it, and restore there."
            )
        say(f"Restoring {manifest.contents.rows:,} rows of {manifest.made_at:%Y-%m-%d %H:%M} UTC …")
        arguments = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
        programs.run("pg_restore", manifest.made_by, [*arguments, str(folder / DUMP)])
        say("Comparing …")
        with database.transaction():
            wrong = contents.differences(manifest.contents, contents.read(database))
        if wrong:
            raise BackupFailed("What was restored is not what was backed up: " + "; ".join(wrong[:20]) + ".")
        _catch_up(database, manifest.next_xid, say)
    return manifest


def _catch_up(database: "psycopg.Connection[Any]", next_xid: int, say: Callable[[str], None]) -> None:
    """Use up transaction numbers until this server's are beyond those that the events bear.

    Readers of the log take events below the oldest running transaction (docs/decisions/0003); on a younger server the
    restored ones would seem to come from the future, and wait.
    """
    while (missing := next_xid - _next_xid(database)) > 0:
        if missing > MOST_XIDS:
            raise BackupFailed(
                f"This server is {missing:,} transactions younger than the one that was backed up, and would take days "
                f"to catch up. Stop it, run `pg_resetwal --next-transaction-id={next_xid % 2**32}` and, where needed, "
                f"`--epoch={next_xid >> 32}` on its data folder, start it, and restore into an empty database."
            )
        say(f"Catching up {missing:,} transaction numbers …")
        count = min(missing, XIDS_AT_ONCE)
        database.execute(
            f"DO $$ BEGIN FOR i IN 1..{count} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )


def _next_xid(database: "psycopg.Connection[Any]") -> int:
    row = database.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    return int(row[0]) if row else 0
