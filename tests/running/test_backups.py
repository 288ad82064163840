"""Backups: made while everything goes on, looked at before they are trusted, restored, and the same."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import msgspec
import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.running.backups import contents, programs, restoring
from eventhub.running.backups.contents import Contents, Table
from eventhub.running.backups.programs import BackupFailed
from eventhub.running.backups.saving import DUMP, MANIFEST, save
from tests.handlers.conftest import Hub, placed
from tests.services.product import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


def address(name: str) -> str:
    database = connection.settings_dict
    return f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{name}"


@pytest.fixture
def empty_database() -> Iterator[str]:
    name = f"restored_{uuid4().hex[:8]}"
    with psycopg.connect(address("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield address(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def restore(folder: Path, into: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "restore", str(folder)],
        cwd=ROOT, env={**os.environ, "DATABASE_URL": into}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_backup_made_under_writes_is_restored_into_an_empty_database_and_is_the_same(
    tmp_path, empty_database
):
    hub, stop = Hub(), threading.Event()
    hub.take(*(placed(n) for n in range(500)))
    create_token("reader", Scope.READ)

    def write() -> None:
        for n in range(500, 100_000, 20):
            if stop.is_set():
                break
            hub.take(*(placed(i) for i in range(n, n + 20)))
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = save(tmp_path / "monday")
    finally:
        stop.set()
        writer.join(30)
    held = sum(table.rows for name, table in made.contents.tables.items() if name.startswith("events_event"))
    assert held >= 500
    assert made.contents.tables["access_apitoken"].rows == 1
    assert restoring.check(tmp_path / "monday") == made
    assert oct((tmp_path / "monday").stat().st_mode)[-3:] == "700"  # it holds what nobody else is to read

    done = restore(tmp_path / "monday", empty_database)
    assert done.returncode == 0, done.stderr
    assert "Restored and compared" in done.stdout
    with psycopg.connect(empty_database) as restored:
        assert contents.differences(made.contents, contents.read(restored)) == []
        assert restored.execute("SELECT count(*) FROM events_event").fetchone() == (held,)
        with pytest.raises(psycopg.errors.RestrictViolation):  # the guards came along
            restored.execute("DELETE FROM events_event")

    again = restore(tmp_path / "monday", empty_database)
    assert again.returncode == 1
    assert "not empty" in again.stderr


@pytest.fixture(scope="module")
def backup(django_db_setup, django_db_blocker, tmp_path_factory) -> Path:
    with django_db_blocker.unblock():
        folder = tmp_path_factory.mktemp("backups") / "good"
        save(folder)
    return folder


@pytest.fixture
def copied(backup, tmp_path) -> Path:
    return Path(shutil.copytree(backup, tmp_path / "copied"))


def cut(folder: Path) -> None:
    with (folder / DUMP).open("r+b") as dump:
        dump.truncate(dump.seek(0, 2) - 100)


def alter(folder: Path) -> None:
    with (folder / DUMP).open("r+b") as dump:
        dump.seek(5_000)
        byte = dump.read(1)
        dump.seek(5_000)
        dump.write(bytes([byte[0] ^ 1]))


def alter_manifest(folder: Path) -> None:
    held = msgspec.json.decode((folder / MANIFEST).read_bytes())
    held["contents"]["tables"]["auth_user"]["rows"] += 1
    (folder / MANIFEST).write_bytes(msgspec.json.encode(held))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: (folder / MANIFEST).unlink(), "written last"),
        (lambda folder: (folder / DUMP).unlink(), "is missing"),
        (lambda folder: (folder / MANIFEST).write_text('{"format": 1'), "cannot be read"),
        (lambda folder: shutil.rmtree(folder), "no folder"),
        (cut, "not whole"),
        (alter, "altered or damaged"),
        (alter_manifest, "was altered"),
    ],
)
def test_a_backup_that_is_not_whole_or_was_altered_is_refused_before_anything_is_touched(copied, harm, words):
    harm(copied)
    with pytest.raises(BackupFailed, match=words):
        restoring.check(copied)
    with pytest.raises(BackupFailed, match=words):  # before it even looks whether the database is empty
        restoring.restore(copied)


def test_nothing_is_written_over_and_what_is_cut_off_does_not_look_like_a_backup(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    with pytest.raises(BackupFailed, match="never written over"):
        save(tmp_path / "there")

    def cut_off(database: object, stood: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(contents, "read", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "half")
    assert not (tmp_path / "half").exists()
    monkeypatch.undo()
    save(tmp_path / "half")  # the next one is not in its way


def test_a_pg_dump_that_is_older_than_the_server_is_told(tmp_path):
    with pytest.raises(BackupFailed, match="postgresql-client-99"):
        programs.find("pg_dump", 99)


def test_a_younger_server_catches_up_with_the_numbers_that_events_bear(empty_database):
    with psycopg.connect(empty_database, autocommit=True) as database:
        wanted = restoring._next_xid(database) + 20_000
        restoring._catch_up(database, wanted, lambda words: None)
        assert restoring._next_xid(database) >= wanted
        with pytest.raises(BackupFailed, match="pg_resetwal"):
            restoring._catch_up(database, wanted + 2 * restoring.MOST_XIDS, lambda words: None)


TABLES = st.dictionaries(
    st.sampled_from("abc"), st.builds(Table, st.integers(0, 3), st.sampled_from(["1", "2"]))
)


@given(TABLES, TABLES)
def test_two_databases_are_the_same_exactly_when_nothing_differs(before, after):
    found = contents.differences(Contents(before, {}), Contents(after, {}))
    assert (found == []) == (before == after)


def test_a_value_that_changed_places_is_noticed(empty_database):
    with psycopg.connect(empty_database) as database:
        database.execute("CREATE TABLE a AS SELECT n, n * 2 AS m FROM generate_series(1, 5) AS n")
        before = contents.read(database)
        database.execute("UPDATE a SET m = CASE n WHEN 1 THEN 4 WHEN 2 THEN 2 ELSE m END")
        assert contents.differences(before, contents.read(database)) == ["a has other content, in 5 rows"]
