"""Order by key: one delivery of a key at a time, the oldest first, and the other keys go on."""

import threading
import time

from django.db import connection

from dlq.models import DeadLetter
from eventhub.handlers import PermanentError, Retry, TemporaryError, running
from eventhub.handlers.models import Delivery
from tests.dlq.sending import send_again
from tests.handlers.conftest import placed

FAST = Retry(max_attempts=4, base=0.02, cap=0.05)


def of(key, *numbers):
    return [placed(number, correlation_id=key) for number in numbers]


def test_later_ones_of_a_key_wait_for_an_earlier_one_that_is_tried_again(hub, handles, effects):
    failed = []

    @handles("order.placed", order_by="correlation_id", retry=FAST)
    def ship(event):
        if event.event_id == "evt-2" and len(failed) < 2:
            failed.append(event.event_id)
            raise TemporaryError("not yet")
        effects.add(event)

    hub.take(*of("a", 1, 2, 3, 4), *of("b", 5, 6))
    hub.run_until("ship", lambda: "waiting" not in hub.states("ship"))

    assert [e for e in effects.all() if e in ("evt-1", "evt-2", "evt-3", "evt-4")] == [
        "evt-1", "evt-2", "evt-3", "evt-4",
    ]  # fmt: skip
    assert len(failed) == 2


def test_other_keys_go_on_while_one_waits(hub, handles, effects):
    @handles("order.placed", order_by="correlation_id", retry=Retry(max_attempts=2, base=300, cap=300))
    def ship(event):
        if event.event_id == "evt-0":
            raise TemporaryError("for a long time")
        effects.add(event)

    # More wait behind the first than are looked at at once.
    hub.take(*of("stuck", *range(1_200)), *of("b", 2_001, 2_002))
    hub.run("ship")

    assert effects.all() == ["evt-2001", "evt-2002"]


def test_one_that_is_given_up_lets_the_others_of_its_key_pass(hub, handles, effects):
    @handles("order.placed", order_by="correlation_id", retry=FAST)
    def ship(event):
        if event.event_id == "evt-1":
            raise PermanentError("never")
        effects.add(event)

    hub.take(*of("a", 1, 2, 3))
    hub.run("ship")

    assert effects.all() == ["evt-2", "evt-3"]
    assert hub.states("ship") == ["dead", "done", "done"]


def test_a_dead_one_that_is_retried_comes_before_those_that_wait(hub, handles, effects):
    broken = [True]

    @handles("order.placed", order_by="correlation_id", retry=FAST)
    def ship(event):
        if broken[0] and event.event_id == "evt-1":
            raise PermanentError("not now")
        effects.add(event)

    hub.take(*of("a", 1))
    hub.run("ship")
    broken[0] = False
    hub.take(*of("a", 2))
    send_again(DeadLetter.objects.get().pk)
    hub.run("ship")

    assert effects.all() == ["evt-1", "evt-2"]


def test_by_stream_means_the_streams_order_and_events_of_no_stream_stand_alone(hub, handles, effects):
    @handles("order.placed", order_by="stream")
    def ship(event):
        effects.add(event)

    hub.take(placed(1, stream="order-1"), placed(2), placed(3, stream="order-1"))
    hub.run("ship")

    assert Delivery.objects.filter(order_key="order-1").count() == 2
    assert Delivery.objects.filter(order_key=None).count() == 1
    assert len(effects.all()) == 3


def test_two_workers_never_have_the_same_key_in_hand(hub, handles, effects):
    in_hand: set[str] = set()
    together: list[str] = []
    guard = threading.Lock()

    @handles("order.placed", order_by="correlation_id", batch=3)
    def ship(event):
        with guard:
            if event.correlation_id in in_hand:
                together.append(event.event_id)
            in_hand.add(event.correlation_id)
        time.sleep(0.002)
        effects.add(event)
        with guard:
            in_hand.discard(event.correlation_id)

    def work():
        while running.run("ship"):
            pass
        connection.close()

    hub.take(*[placed(n, correlation_id=f"key-{n % 5}") for n in range(150)])
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    hub.run_until("ship", lambda: "waiting" not in hub.states("ship"))

    assert not together
    handled = [int(event_id.removeprefix("evt-")) for event_id in effects.all()]
    assert sorted(handled) == list(range(150))
    for key in range(5):
        assert [n for n in handled if n % 5 == key] == list(range(key, 150, 5))
