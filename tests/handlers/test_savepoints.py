"""What a handler leaves behind when it shares a transaction with others, whichever way it ends."""

import contextlib

import pytest
from django.db import IntegrityError, connection, transaction

from eventhub.handlers import Retry
from eventhub.handlers.models import Attempt
from tests.handlers.conftest import placed

ONCE = Retry(max_attempts=1)


def fail(event):
    raise ValueError("no")


def fail_in_the_database(event):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def fail_in_the_database_and_go_on(event):
    with contextlib.suppress(Exception):
        fail_in_the_database(event)


def fail_inside_a_savepoint_of_its_own(event):
    with transaction.atomic():
        fail_in_the_database(event)


@pytest.mark.parametrize(
    "end", [fail, fail_in_the_database, fail_in_the_database_and_go_on, fail_inside_a_savepoint_of_its_own]
)
def test_of_one_that_fails_nothing_stays_and_those_around_it_stay(hub, handles, effects, end):
    told: list[str] = []

    @handles("order.placed", retry=ONCE)
    def ship(event):
        effects.add(event)
        transaction.on_commit(lambda: told.append(event.event_id))
        with transaction.atomic():
            transaction.on_commit(lambda: told.append(f"{event.event_id}, inside"))
        if event.event_id in ("evt-1", "evt-2", "evt-4"):
            end(event)

    hub.take(*[placed(n) for n in range(6)])
    hub.run("ship")

    assert effects.all() == ["evt-0", "evt-3", "evt-5"]
    assert told == [f"evt-{n}{inside}" for n in (0, 3, 5) for inside in ("", ", inside")]
    assert hub.states("ship") == ["done", "dead", "dead", "done", "dead", "done"]
    assert Attempt.objects.count() == 6


def test_a_handler_may_use_savepoints_of_its_own(hub, handles, effects):
    @handles("order.placed", retry=ONCE)
    def ship(event):
        effects.add(event)
        with contextlib.suppress(IntegrityError), transaction.atomic():
            effects.add(event)
            raise IntegrityError
        with transaction.atomic(), transaction.atomic():
            effects.add(event)

    hub.take(placed(1), placed(2))
    hub.run("ship")
    assert effects.all() == ["evt-1", "evt-1", "evt-2", "evt-2"]
    assert hub.states("ship") == ["done", "done"]


def test_a_handler_that_asks_for_its_work_to_be_undone_has_it_undone(hub, handles, effects):
    @handles("order.placed", retry=ONCE)
    def ship(event):
        effects.add(event)
        if event.event_id == "evt-1":
            transaction.set_rollback(True)

    hub.take(*[placed(n) for n in range(3)])
    hub.run("ship")
    assert effects.all() == ["evt-0", "evt-2"]
    assert set(hub.states("ship")) == {"done"}


def test_a_connection_that_is_lost_under_a_batch_undoes_all_of_it_and_it_is_run_again(hub, handles, effects):
    lost: list[str] = []

    @handles("order.placed", retry=ONCE)
    def ship(event):
        effects.add(event)
        if event.event_id == "evt-1" and not lost:
            lost.append(event.event_id)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    hub.take(*[placed(n) for n in range(3)])
    hub.run_until("ship", lambda: set(hub.states("ship")) == {"done"})
    assert effects.all() == ["evt-0", "evt-1", "evt-2"]
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"succeeded"}
