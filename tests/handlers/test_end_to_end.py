"""From an event to its handler's effect, its retries, its dead letter, and back."""

import contextlib

import pytest
from django.db import ProgrammingError

from dlq.models import DeadLetter, Status
from eventhub.handlers import PermanentError, Retry, TemporaryError
from eventhub.handlers.models import Delivery
from monitoring.rollups.models import Rollup
from tests.dlq.sending import send_again, sent
from tests.handlers.conftest import placed


def test_a_handler_is_called_with_each_event_it_asked_for(hub, handles, effects):
    @handles("order.placed")
    def ship(event):
        assert event.value["order_id"] == event.event_id.replace("evt", "o")
        effects.add(event)

    hub.take(placed(1), placed(2), placed(3, event_type="order.paid"))
    hub.run("ship")

    assert effects.all() == ["evt-1", "evt-2"]
    assert hub.states("ship") == ["done", "done"]
    assert hub.outcomes("ship") == [(1, "succeeded"), (1, "succeeded")]


def test_an_event_delivered_twice_by_its_broker_is_handled_once(hub, handles, effects):
    @handles("order.*")
    def ship(event):
        effects.add(event)

    hub.take(placed(1), placed(1))
    hub.take(placed(1), placed(2))
    hub.run("ship")
    hub.take(placed(2))
    hub.run("ship")

    assert effects.all() == ["evt-1", "evt-2"]


def test_events_nobody_asked_for_leave_no_delivery(hub, handles):
    @handles("payment.*")
    def book(event): ...

    hub.take(placed(1))

    assert not Delivery.objects.exists()


def test_a_temporary_error_is_tried_again_until_it_works(hub, handles, effects):
    tries = []

    @handles("order.placed", retry=Retry(max_attempts=5, base=0.01, cap=0.02))
    def ship(event):
        tries.append(event.event_id)
        effects.add(event)
        if len(tries) < 3:
            raise TemporaryError("the carrier is busy")

    hub.take(placed(1))
    hub.run_until("ship", lambda: hub.states("ship") == ["done"])

    assert effects.all() == ["evt-1"]  # of the failed attempts nothing stayed
    assert hub.outcomes("ship") == [(1, "failed"), (2, "failed"), (3, "succeeded")]


def test_the_last_attempt_ends_among_the_dead_letters_and_its_retry_runs_that_handler_alone(
    hub, handles, effects
):
    broken = [True]

    @handles("order.placed", retry=Retry(max_attempts=2, base=0.0))
    def ship(event):
        if broken[0]:
            raise ConnectionRefusedError(f"no carrier for {event.event_id}")
        effects.add(event, "ship")

    @handles("order.placed")
    def bill(event):
        effects.add(event, "bill")

    hub.take(placed(1), placed(2))
    hub.run("ship")
    hub.run("bill")
    assert hub.states("ship") == ["dead", "dead"]

    letters = list(DeadLetter.objects.order_by("pk"))
    assert {letter.failed_in for letter in letters} == {"ship"}
    assert {letter.group_id for letter in letters} == {letters[0].group_id}
    assert letters[0].attempts == 2
    assert letters[0].error_class == "ConnectionRefusedError"
    assert "in ship" in letters[0].stack
    assert "attempting.py" not in letters[0].stack

    broken[0] = False
    assert sent(send_again(letters[0].pk)) == [letters[0].pk]
    hub.run("ship")
    hub.run("bill")

    assert effects.all() == ["evt-1", "evt-2", "evt-1"]  # twice billed once, once shipped
    assert hub.states("ship") == ["done", "dead"]
    letters[0].refresh_from_db()
    assert letters[0].status == Status.RESOLVED


def test_a_letter_whose_retry_dies_again_comes_back_with_its_attempts(hub, handles):
    @handles("order.placed")
    def ship(event):
        raise PermanentError("no such address")

    hub.take(placed(1))
    hub.run("ship")
    letter = DeadLetter.objects.get()
    send_again(letter.pk)
    hub.run("ship")

    letter.refresh_from_db()
    assert (letter.status, letter.attempts, letter.returns) == (Status.OPEN, 2, 1)
    assert DeadLetter.objects.count() == 1


def test_one_failing_delivery_of_a_batch_leaves_the_others_alone(hub, handles, effects):
    @handles("order.placed", retry=Retry(max_attempts=1))
    def ship(event):
        effects.add(event)
        if event.event_id == "evt-2":
            raise ValueError("not this one")

    hub.take(*[placed(n) for n in range(1, 6)])
    hub.run("ship")

    assert effects.all() == ["evt-1", "evt-3", "evt-4", "evt-5"]
    assert hub.states("ship") == ["done", "dead", "done", "done", "done"]


def test_a_handler_that_breaks_its_transaction_fails_alone(hub, handles, effects):
    @handles("order.placed", retry=Retry(max_attempts=1))
    def ship(event):
        effects.add(event)
        if event.event_id == "evt-2":
            with contextlib.suppress(ProgrammingError):  # as careless code does
                Delivery.objects.extra(where=["no_such_column = 1"]).first()

    hub.take(*[placed(n) for n in range(1, 4)])
    hub.run("ship")

    assert effects.all() == ["evt-1", "evt-3"]
    assert hub.states("ship") == ["done", "dead", "done"]


def test_attempts_count_where_receipts_of_services_do(hub, handles):
    @handles("order.placed", retry=Retry(max_attempts=1))
    def ship(event):
        if event.event_id == "evt-2":
            raise ValueError("not this one")

    hub.take(placed(1), placed(2), placed(3))
    hub.run("ship")

    rollup = Rollup.objects.get(service="ship", event_type="order.placed")
    assert (rollup.handled, rollup.failed, rollup.dead_letters) == (2, 1, 1)
    assert sum(rollup.processing_counts) == 3


@pytest.mark.parametrize("changed", [{"event_id": r"back\slash\N"}, {"correlation_id": "ключ ✓"}])
def test_ids_of_any_characters_find_their_event(hub, handles, effects, changed):
    @handles("order.placed", order_by="correlation_id")
    def ship(event):
        effects.add(event)

    hub.take(placed(1, **changed))
    hub.run("ship")

    assert len(effects.all()) == 1
