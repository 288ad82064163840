"""A handler that takes too long has failed, wherever it hangs."""

import threading
import time

import pytest
from django.db import connection

from eventhub.handlers import Retry, running
from eventhub.handlers.models import Attempt
from tests.handlers.conftest import placed

ONCE = Retry(max_attempts=1)


def hang_in_python(event):
    while True:
        time.sleep(0.01)


def hang_in_a_query(event):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")


def hang_and_swallow(event):
    try:
        time.sleep(30)
    except Exception:  # noqa: BLE001 - as careless code does
        time.sleep(30)


@pytest.mark.parametrize("hang", [hang_in_python, hang_in_a_query, hang_and_swallow])
def test_a_handler_that_hangs_is_interrupted_and_the_others_of_its_batch_are_handled(
    hub, handles, effects, hang
):
    @handles("order.placed", timeout_s=0.3, retry=ONCE)
    def ship(event):
        effects.add(event)
        if event.event_id == "evt-2":
            hang(event)

    hub.take(placed(1), placed(2), placed(3))
    began = time.monotonic()
    hub.run("ship")

    assert time.monotonic() - began < 25
    assert effects.all() == ["evt-1", "evt-3"]
    attempt = Attempt.objects.get(outcome="failed")
    assert attempt.error_class == "eventhub.handlers.errors.TimedOut"
    assert "0.3 s" in attempt.error_message
    assert hang.__name__ in attempt.stack
    assert "eventhub/handlers/" not in attempt.stack
    assert 0.3 <= attempt.duration_s < 15


def test_in_a_thread_a_query_is_interrupted(hub, handles, effects):
    @handles("order.placed", timeout_s=0.3, retry=ONCE)
    def ship(event):
        effects.add(event)
        if event.event_id == "evt-1":
            hang_in_a_query(event)

    def work():
        running.run("ship")
        connection.close()

    hub.take(placed(1), placed(2))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)

    assert not thread.is_alive()
    assert effects.all() == ["evt-2"]
    assert Attempt.objects.get(outcome="failed").error_class == "eventhub.handlers.errors.TimedOut"


def test_a_timer_of_the_handlers_own_is_not_ours_to_fire_later(hub, handles):
    @handles("order.placed", timeout_s=0.2)
    def ship(event): ...

    hub.take(placed(1))
    hub.run("ship")
    time.sleep(0.3)  # no alarm comes after the handler has returned
    assert hub.states("ship") == ["done"]
