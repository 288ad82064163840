"""Making a backup: a dump and a manifest of what is in it, both of one moment, while everything goes on."""

import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from eventhub.running.backups import contents, programs
from eventhub.running.backups.contents import Contents
from eventhub.running.backups.programs import BackupFailed

DUMP = "eventhub.dump"
MANIFEST = "manifest.json"
FORMAT = 1
CHUNK_BYTES = 1 << 20


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. It is written last: a backup without one was not finished."""

    format: int
    made_at: datetime
    server: int
    # The major version of the pg_dump: an older pg_restore cannot read what it wrote.
    made_by: int
    # The next transaction's number: readers of the log compare numbers that events bear with the server's own.
    next_xid: int
    dump_bytes: int
    dump_sha256: str
    migrations: list[tuple[str, str]]
    contents: Contents
    # Of everything above, as JSON: so that the manifest itself cannot be altered without being noticed.
    sha256: str = ""


def save(folder: Path) -> Manifest:
    """Back up Django's database into `folder`, which must not be there yet. Raises BackupFailed."""
    if folder.exists():
        raise BackupFailed(f"{folder} is there already. A backup is never written over: name another folder.")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        manifest = _write(unfinished)
        _flush(unfinished)
        unfinished.rename(folder)
        _flush(folder.parent)
    except OSError as error:
        raise BackupFailed(f"{folder} cannot be written: {error}") from error
    return manifest


def _write(folder: Path) -> Manifest:
    dump = folder / DUMP
    with psycopg.connect(**programs.connection_params()) as database:
        # The dump and the counts see the same moment, whatever is written meanwhile.
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot, next_xid = _row(
            database, "SELECT pg_export_snapshot(), pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        )
        stood = contents.sequences(database)
        made_by = programs.run(
            "pg_dump",
            programs.server_version(),
            ["--format=custom", f"--snapshot={snapshot}", f"--file={dump}"],
        )
        migrations = database.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
        held = contents.read(database, stood)
    size, digest = hash_of(dump)
    manifest = Manifest(
        format=FORMAT,
        made_at=datetime.now(UTC),
        server=programs.server_version(),
        made_by=made_by,
        next_xid=next_xid,
        dump_bytes=size,
        dump_sha256=digest,
        migrations=[(app, name) for app, name in migrations],
        contents=held,
    )
    manifest = msgspec.structs.replace(manifest, sha256=seal(manifest))
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def seal(manifest: Manifest) -> str:
    """The hash of a manifest without its own."""
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(manifest, sha256=""))).hexdigest()


def hash_of(file: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while part := opened.read(CHUNK_BYTES):
            digest.update(part)
            size += len(part)
    return size, digest.hexdigest()


def _row(database: "psycopg.Connection[Any]", query: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = database.execute(query).fetchone()
    if row is None:
        raise BackupFailed("The database did not answer.")
    return row


def _flush(folder: Path) -> None:
    """To the disk: the files, then the folder that names them."""
    for path in (*(folder / name for name in (DUMP, MANIFEST) if (folder / name).exists()), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
