"""Whose turn it is: workers are shared among the handlers that have something to do."""

import threading
import time
from collections import Counter

from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from eventhub.handlers import Retry, TemporaryError, turns
from eventhub.handlers.due import Due, look
from eventhub.handlers.models import Delivery, Handler
from eventhub.handlers.registry import Subscription
from eventhub.handlers.slots import slot
from tests.handlers.conftest import START, placed


def subscription(name: str, concurrency: int | None = None) -> Subscription:
    return Subscription(
        name=name, patterns=("order.placed",), function=print, retry=Retry(), timeout_s=30, order_by=None,
        concurrency=concurrency, batch=50, breaker=None,
    )  # fmt: skip


limits = st.lists(st.none() | st.integers(1, 4), min_size=1, max_size=8)


@given(limits, st.integers(1, 12), st.lists(st.integers(0, 11), max_size=60))
def test_workers_are_spread_evenly_as_far_as_the_limits_allow(limits, workers, ended):
    """Any number of workers, all handlers with endless work; whoever ends a turn chooses again."""
    subscriptions = {f"h{n}": subscription(f"h{n}", limit) for n, limit in enumerate(limits)}
    serves: list[str | None] = [None] * workers
    served: list[dict[str, float]] = [{} for _ in range(workers)]
    for moment, worker in enumerate([*range(workers), *(number % workers for number in ended)]):
        serves[worker] = None
        at_work = Counter(serves)
        found = [Due(name, 0, 1, START, range(at_work[name])) for name in subscriptions]
        chosen = turns.choose(found, subscriptions, served[worker])
        if chosen is not None:
            serves[worker] = chosen.name
            served[worker][chosen.name] = moment

    at_work = Counter(serves)
    most = max(at_work[name] for name in subscriptions)
    for name, one in subscriptions.items():
        assert at_work[name] <= (one.concurrency or workers)
        # Nobody has less than another has, but for the one that was just being chosen, unless it asks for less.
        assert at_work[name] >= min(most - 1, one.concurrency or workers)
    if None in serves:
        assert all(at_work[name] == one.concurrency for name, one in subscriptions.items())


@given(st.integers(1, 8), st.integers(1, 40))
def test_one_worker_serves_all_handlers_in_turn(handlers, rounds):
    subscriptions = {f"h{n}": subscription(f"h{n}") for n in range(handlers)}
    found = [Due(name, 0, 1, START) for name in subscriptions]
    served: dict[str, float] = {}
    for moment in range(rounds * handlers):
        chosen = turns.choose(found, subscriptions, served)
        assert chosen is not None
        served[chosen.name] = moment
    assert sorted(served.values()) == list(range((rounds - 1) * handlers, rounds * handlers))


def work(until_done, deadline):
    while not until_done() and time.monotonic() < deadline:
        turns.take_turns(0.5)
    connection.close()


def serve_with(workers, until_done):
    deadline = time.monotonic() + 60
    threads = [threading.Thread(target=work, args=[until_done, deadline]) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(70)
    assert until_done()


def test_a_handler_that_allows_one_worker_has_it_beside_a_backlog_of_others(hub, handles, monkeypatch):
    monkeypatch.setattr(turns, "TURN_S", 0.1)
    order: list[str] = []
    inside = threading.Semaphore(1)

    @handles("order.placed", concurrency=1, batch=5)
    def single(event):
        assert inside.acquire(blocking=False), "two at once"
        time.sleep(0.002)
        inside.release()
        order.append("single")

    def others(event):
        time.sleep(0.002)
        order.append("other")

    for number in range(3):
        handles("order.placed", name=f"other-{number}", batch=5)(others)

    hub.take(*[placed(n) for n in range(400)])
    serve_with(2, lambda: len(order) >= 1_600)

    # Four handlers share two workers: when the last of the one comes, about three times as many of the others have run.
    last = len(order) - 1 - order[::-1].index("single")
    assert order[:last].count("other") > 400, "the test showed nothing: the others never had their turn"
    half = [at for at, name in enumerate(order) if name == "single"][200]
    assert order[:half].count("other") < 900, "it had less than its part of the workers"
    assert Delivery.objects.filter(state="done").count() == 1_600


def test_one_event_for_another_handler_does_not_wait_behind_a_backlog(hub, handles, monkeypatch):
    monkeypatch.setattr(turns, "TURN_S", 0.1)
    ran: list[str] = []

    @handles("order.placed", batch=5)
    def busy(event):
        time.sleep(0.005)
        ran.append("busy")
        if len(ran) == 50:
            Handler.objects.filter(name="small").update(paused=False)

    @handles("order.placed", "order.paid")
    def small(event):
        ran.append("small")

    hub.take(placed(0))
    Handler.objects.filter(name="small").update(paused=True)
    hub.take(*[placed(n, event_type="order.placed") for n in range(1, 400)])
    Delivery.objects.filter(handler__name="small").exclude(event_id="evt-0").delete()
    serve_with(1, lambda: "small" in ran)

    assert 50 <= ran.index("small") < 150


def test_what_is_due_is_told_with_those_who_serve_it(hub, handles):
    @handles("order.placed", concurrency=3)
    def ship(event):
        raise TemporaryError("later")

    hub.take(*[placed(n) for n in range(5)])
    ship_id = hub.handler("ship").pk
    with slot(ship_id, 3):
        [found] = look(["ship", "nobody"], most=3)
        assert (found.name, found.handler_id, found.free, found.workers) == ("ship", ship_id, 3, 1)
        with slot(ship_id, 3, found.slots) as has_room:
            assert has_room
            assert look(["ship"], most=100)[0].workers == 2
    [found] = look(["ship"], most=100)
    assert (found.free, found.workers) == (5, 0)
    hub.run("ship")
    assert all(one.free < 5 for one in look(["ship"], most=100))  # they wait for their retries
    Handler.objects.update(paused=True)
    hub.hurry()
    assert look(["ship"], most=100) == []
