"""Updating without a pause: what a new migration may do, and the release before on the new schema."""

import json
import threading
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import OperationalError, connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState

from eventhub.brokers.models import Kind, Source
from eventhub.events.models import Event
from eventhub.ingest.loop import SourceLoop
from eventhub.running import preparing
from eventhub.running.migrating import BASELINE, BIG, is_judged, objections
from monitoring.rollups.models import Rollup
from tests.handlers.conftest import Hub, handles, placed  # noqa: F401
from tests.running.test_sigterm import wait_for

LETTER = ModelState(
    "dlq",
    "DeadLetter",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("reason", models.CharField(max_length=40, null=True)),
        ("seen", models.IntegerField(default=0)),
    ],
)


def judged(*done: Any, **attributes: Any) -> list[str]:
    state = ProjectState()
    state.add_model(LETTER.clone())
    migration = Migration("0099_x", "dlq")
    migration.operations = list(done)
    for name, value in attributes.items():
        setattr(migration, name, value)
    return objections(migration, state)


INDEX = models.Index(fields=["seen"], name="seen_index")
REFUSED = [
    (operations.RemoveField("deadletter", "seen"), "old workers still read"),
    (operations.DeleteModel("DeadLetter"), "drops the table"),
    (operations.RenameField("deadletter", "seen", "looked_at"), "by its old name"),
    (operations.RenameModel("DeadLetter", "Letter"), "by its old name"),
    (operations.AddField("deadletter", "n", models.IntegerField(default=0)), "db_default"),
    (operations.AlterField("deadletter", "reason", models.CharField(max_length=40)), "forbids NULL"),
    (operations.AlterField("deadletter", "seen", models.TextField(default="")), "rewritten under a lock"),
    (operations.AlterField("deadletter", "reason", models.CharField(max_length=9, null=True)), "shortens"),
    (operations.AlterField("deadletter", "seen", models.IntegerField(default=0, unique=True)), "unique"),
    (operations.AddIndex("deadletter", INDEX), "AddIndexConcurrently"),
    (AddIndexConcurrently("deadletter", INDEX), "atomic = False"),
    (
        operations.AddConstraint(
            "deadletter", models.CheckConstraint(condition=models.Q(seen__gt=0), name="c")
        ),
        "AddConstraintNotValid",
    ),
    (operations.RunSQL("ALTER TABLE dlq_deadletter DROP COLUMN seen"), "drops something"),
    (operations.RunSQL([("ALTER TABLE a ALTER COLUMN b TYPE bigint", None)]), "column's type"),
    (operations.RunSQL("CREATE INDEX i ON dlq_deadletter (seen)"), "CONCURRENTLY"),
    (operations.RunSQL("UPDATE handlers_delivery SET state = 'done'"), "in batches"),
    (operations.RunSQL("LOCK TABLE events_event"), "locks a table"),
]


@pytest.mark.parametrize(("operation", "words"), REFUSED)
def test_what_would_stop_old_workers_or_lock_a_big_table_is_refused_in_words(operation, words):
    found = judged(operation)
    assert len(found) == 1
    assert words in found[0]
    assert found[0].startswith("dlq.0099_x: ")


def test_what_only_adds_is_let_through():
    assert not judged(
        operations.AddField("deadletter", "a", models.IntegerField(null=True)),
        operations.AddField("deadletter", "b", models.IntegerField(db_default=0)),
        operations.AlterField("deadletter", "reason", models.CharField(max_length=80, null=True)),
        operations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))]),
        operations.AddIndex("new", models.Index(fields=["id"], name="i")),
        operations.RunSQL("CREATE INDEX CONCURRENTLY i ON dlq_deadletter (seen)"),
        operations.RunSQL("ALTER TABLE dlq_deadletter ADD COLUMN c integer"),
    )
    assert not judged(AddIndexConcurrently("deadletter", INDEX), atomic=False)


def test_what_nothing_has_used_for_a_release_may_go_when_the_migration_says_so():
    drop = operations.RemoveField("deadletter", "seen")
    assert not judged(drop, unused_since="0.2")
    assert judged(drop, operations.AddIndex("deadletter", INDEX), unused_since="0.2")  # locks are not excused


def test_every_migration_since_the_baseline_can_be_applied_under_a_running_worker():
    loader = MigrationLoader(None, ignore_no_migrations=True)
    found = [
        words
        for (app, name), migration in loader.disk_migrations.items()
        if is_judged(app, name)
        for words in objections(migration, loader.project_state([(app, name)], at_end=False))
    ]
    assert not found, "\n".join(found)


def test_the_baseline_names_every_app_of_ours_and_big_tables_that_exist():
    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = {
        app
        for app, _ in loader.disk_migrations
        if app not in {"auth", "contenttypes", "sessions", "admin", "axes"}
    }
    assert ours == set(BASELINE)
    from django.apps import apps

    assert {model._meta.db_table for model in apps.get_models()} >= BIG


@pytest.mark.django_db(transaction=True)
def test_workers_of_the_release_before_go_on_while_the_schema_grows_under_them(handles):  # noqa: F811
    """Every table they write gets a column they do not know, and an index, in the middle of their work."""

    @handles("order.placed")
    def ship(event: Any) -> None:
        pass

    name, total = f"t-{uuid4().hex[:8]}", 6_000
    source = Source.objects.create(name=name, kind=Kind.REDIS, config={"streams": [name]})
    loop = SourceLoop(source, "ingest@old")
    grown = ("events_event", "handlers_delivery", "handlers_attempt", "rollups_rollup", "dlq_deadletter")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        try:
            for n in range(total // 2):
                client.xadd(name, {"body": json.dumps(placed(n))})
            loop.start()
            wait_for(Event.objects.exists, "the worker stores")
            with connection.cursor() as cursor:
                for table in grown:
                    cursor.execute(f"ALTER TABLE {table} ADD COLUMN later integer DEFAULT 7 NOT NULL")
                    cursor.execute(f"ALTER TABLE {table} ADD COLUMN laxer text")
                cursor.execute("CREATE INDEX CONCURRENTLY later_index ON handlers_delivery (later)")
            for n in range(total // 2, total):
                client.xadd(name, {"body": json.dumps(placed(n))})
            client.xadd(name, {"body": "no event"})
            wait_for(lambda: Event.objects.count() == total, "everything is stored")
            Hub().run("ship")
        finally:
            loop.stop()
            assert loop.join(30)
            client.delete(name)
            with connection.cursor() as cursor:
                for table in grown:
                    cursor.execute(
                        f"ALTER TABLE {table} DROP COLUMN IF EXISTS later, DROP COLUMN IF EXISTS laxer"
                    )
    assert loop.restarts == 0, loop.last_error
    assert Rollup.objects.aggregate(n=models.Sum("received"))["n"] == total
    from dlq.models import DeadLetter
    from eventhub.handlers.models import Delivery

    assert Delivery.objects.filter(state="done").count() == total
    assert DeadLetter.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_waits_for_a_table_lets_others_pass_and_says_at_last_who_holds_it(monkeypatch):
    monkeypatch.setattr(preparing, "LOCK_WAIT_S", 0.2)
    monkeypatch.setattr(preparing, "LOCK_ATTEMPTS", 2)
    monkeypatch.setattr(preparing, "LOCK_PAUSE_S", 0.0)

    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE dlq_deadletter ADD COLUMN later integer")
            cursor.execute("ALTER TABLE dlq_deadletter DROP COLUMN later")

    params = connection.get_connection_params()
    params = {key: value for key, value in params.items() if key not in {"cursor_factory", "context"}}
    with psycopg.connect(**params) as reader:
        reader.execute("SELECT count(*) FROM dlq_deadletter")  # a long report: its lock lasts
        with pytest.raises(preparing.TooBusy, match="pg_stat_activity"):
            preparing._patiently(change)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM dlq_deadletter")  # nobody waits in the queue behind it
        monkeypatch.setattr(preparing, "LOCK_ATTEMPTS", 300)
        threading.Timer(1.0, reader.rollback).start()
        preparing._patiently(change)
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_another_error_of_the_database_is_raised_at_once(db):
    def fail() -> None:
        raise OperationalError("the disk is full")

    with pytest.raises(OperationalError, match="disk"):
        preparing._patiently(fail)
