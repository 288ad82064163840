"""A handler that fails on everything is stopped, probed, and goes on when it works again."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from eventhub.access.audit import Actor
from eventhub.handlers import Breaker, Retry, control, figures, sweeping, turns
from eventhub.handlers.breaker import Circuit
from eventhub.handlers.models import Delivery, Handler
from tests.handlers.conftest import placed

OLGA = Actor("olga")


@pytest.fixture
def down(hub, handles, effects):
    """A handler whose service is down."""
    hub.down = [True]

    @handles(
        "order.placed",
        retry=Retry(max_attempts=3, base=300, cap=300),
        batch=5,
        breaker=Breaker(after=10, probe_s=30, cap_s=100),
    )
    def ship(event):
        if hub.down[0]:
            raise ConnectionRefusedError("nobody answers at the carrier's")
        effects.add(event)

    return hub


def time_passes(name="ship"):
    Handler.objects.filter(name=name).update(probe_at=timezone.now() - timedelta(seconds=1))


def test_it_is_stopped_with_most_deliveries_untouched_and_says_so(down):
    down.take(*[placed(n) for n in range(100)])
    down.run("ship")

    assert len(down.outcomes("ship")) == 10  # two batches of five
    handler = down.handler("ship")
    assert handler.circuit == Circuit.OPEN
    assert "nobody answers" in handler.opened_by
    now = figures.handler_now("ship", timezone.now())
    assert (now.word, now.level) == ("stopped", "broken")
    assert "10 deliveries in a row failed" in now.advice
    assert sweeping.sweep() == {}


def test_one_probe_at_a_time_finds_out_whether_it_works_again(down, effects):
    down.take(*[placed(n) for n in range(50)])
    down.run("ship")
    time_passes()
    assert sweeping.sweep() == {"ship": 1}
    down.run("ship")
    assert len(down.outcomes("ship")) == 11
    assert down.handler("ship").failed_probes == 1

    down.down[0] = False
    down.run("ship")
    assert not effects.all()  # it is not time yet
    time_passes()
    down.run("ship")
    assert down.handler("ship").circuit == Circuit.CLOSED
    assert down.handler("ship").opened_by == ""
    assert len(effects.all()) == 50 - 11  # the eleven that failed wait for their retry


def test_a_person_can_have_it_tried_at_once(down, effects):
    down.take(*[placed(n) for n in range(12)])
    down.run("ship")
    down.down[0] = False
    control.try_again("ship", OLGA)
    down.run("ship")
    assert down.handler("ship").circuit == Circuit.CLOSED
    assert len(effects.all()) == 2
    with pytest.raises(control.NotStopped):
        control.try_again("ship", OLGA)


def test_some_failures_among_successes_stop_nothing(hub, handles):
    @handles("order.placed", retry=Retry(max_attempts=1), breaker=Breaker(after=2))
    def ship(event):
        if int(event.event_id[4:]) % 2:
            raise ValueError("every second one")

    hub.take(*[placed(n) for n in range(40)])
    hub.run("ship")
    assert hub.handler("ship").circuit == Circuit.CLOSED
    assert set(hub.states("ship")) == {"done", "dead"}


def test_a_large_batch_is_not_failed_to_its_end(hub, handles):
    @handles("order.placed", breaker=Breaker(after=4))
    def ship(event):
        raise ConnectionRefusedError("nobody answers")

    hub.take(*[placed(n) for n in range(40)])
    hub.run("ship")
    assert hub.handler("ship").circuit == Circuit.OPEN
    assert len(hub.outcomes("ship")) == 4
    assert Delivery.objects.filter(attempts=0, lease_until=None).count() == 36  # free for the next


def test_a_stopped_handler_goes_on_by_itself_when_a_probe_succeeds(hub, handles, effects):
    """Nobody does anything: the sweep wakes a worker for the probe, and the workers go on."""
    down = [True]

    @handles(
        "order.placed", retry=Retry(max_attempts=9, base=0.2, cap=0.2), breaker=Breaker(after=3, probe_s=0.3)
    )
    def ship(event):
        if down[0]:
            raise ConnectionRefusedError("nobody answers")
        effects.add(event)

    hub.take(*[placed(n) for n in range(30)])
    turns.take_turns()
    assert hub.handler("ship").circuit == Circuit.OPEN
    assert not effects.all()
    down[0] = False
    deadline = time.monotonic() + 20
    while len(effects.all()) < 30 and time.monotonic() < deadline:
        if sweeping.sweep():
            turns.take_turns()
        time.sleep(0.05)
    assert sorted(effects.all()) == sorted(f"evt-{n}" for n in range(30))
    assert set(hub.states("ship")) == {"done"}
    assert hub.handler("ship").circuit == Circuit.CLOSED
