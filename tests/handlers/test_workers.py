"""Several workers, lost ones among them."""

import contextlib
import threading
import time
from datetime import timedelta

import pytest
from celery import Celery, current_app
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from dlq.models import DeadLetter
from eventhub.handlers import Retry, claiming, pace, pruning, registry, running, sweeping, waking, working
from eventhub.handlers.due import Due
from eventhub.handlers.models import Attempt, Delivery, Handler
from eventhub.handlers.slots import slot
from tests.handlers.conftest import START, placed


def lose(name, limit=50):
    """A worker claims deliveries and is never heard of again; its lease passes."""
    handler = Handler.objects.get(name=name)
    claim = claiming.claim(handler.pk, limit) or claiming.claim_lost(handler.pk)
    assert claim is not None
    Delivery.objects.filter(pk__in=list(claim.ids)).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_what_a_lost_worker_had_in_hand_is_handled_by_another(hub, handles, effects):
    @handles("order.placed")
    def ship(event):
        effects.add(event)

    hub.take(*[placed(n) for n in range(5)])
    lose("ship")
    hub.run("ship")

    assert sorted(effects.all()) == [f"evt-{n}" for n in range(5)]
    assert hub.outcomes("ship").count((1, "lost")) == 5
    assert set(hub.states("ship")) == {"done"}
    assert set(Delivery.objects.values_list("lost", flat=True)) == {0}


def test_after_a_loss_each_is_run_alone_so_that_the_guilty_one_is_known(hub, handles, effects):
    together = []

    @handles("order.placed")
    def ship(event):
        together.append(Delivery.objects.filter(lease_until__gt=timezone.now()).count())
        effects.add(event)

    hub.take(*[placed(n) for n in range(5)])
    lose("ship")
    hub.run("ship")

    assert together == [1] * 5


def test_an_event_that_takes_worker_after_worker_along_is_given_up(hub, handles, effects):
    ran = []

    @handles("order.placed", retry=Retry(max_attempts=100))
    def ship(event):
        ran.append(event.event_id)

    hub.take(placed(1))
    for _ in range(4):
        lose("ship")
    hub.run("ship")

    assert not ran
    assert hub.states("ship") == ["dead"]
    letter = DeadLetter.objects.get()
    assert letter.error_class == "WorkerLost"
    assert "4 workers in a row" in letter.error_message


def test_order_holds_through_a_loss(hub, handles, effects):
    @handles("order.placed", order_by="correlation_id")
    def ship(event):
        effects.add(event)

    hub.take(*[placed(n, correlation_id="one") for n in range(6)])
    handler = hub.handler("ship")
    from eventhub.handlers import ordering

    claim = ordering.claim(handler.pk, 3)
    assert claim is not None
    assert len(claim.ids) == 3
    assert ordering.claim(handler.pk, 3) is None
    Delivery.objects.filter(pk__in=list(claim.ids)).update(lease_until=timezone.now() - timedelta(seconds=1))
    Delivery.objects.update(due_at=timezone.now())
    hub.run_until("ship", lambda: "waiting" not in hub.states("ship"))

    assert effects.all() == [f"evt-{n}" for n in range(6)]


def test_a_slow_worker_whose_lease_has_passed_keeps_what_it_has_in_hand(hub, handles, effects):
    began, go_on = threading.Event(), threading.Event()

    @handles("order.placed")
    def ship(event):
        effects.add(event)
        began.set()
        go_on.wait(10)

    def work():
        running.run("ship")
        connection.close()

    hub.take(placed(1))
    thread = threading.Thread(target=work)
    original = claiming.LEASE_S
    claiming.LEASE_S = 0
    try:
        thread.start()
        assert began.wait(10)
        time.sleep(0.05)
        assert not running.run("ship")  # nothing to be had: the row is locked
    finally:
        claiming.LEASE_S = original
        go_on.set()
        thread.join(10)

    assert effects.all() == ["evt-1"]
    assert hub.outcomes("ship") == [(1, "succeeded")]


def test_a_limit_of_two_lets_two_workers_in(hub, handles):
    @handles("order.placed", concurrency=2)
    def ship(event): ...

    hub.take(placed(1))
    handler = hub.handler("ship")
    inside: list[bool] = []
    leave = threading.Event()
    entered = threading.Barrier(4)

    def work():
        with slot(handler.pk, 2) as has_room:
            inside.append(has_room)
            entered.wait(10)
            leave.wait(10)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert sorted(inside) == [False, True, True]
    with slot(handler.pk, 2) as has_room:
        assert has_room


def test_workers_share_the_work_without_sharing_a_delivery(hub, handles, effects):
    @handles("order.placed", batch=7)
    def ship(event):
        effects.add(event)

    def work():
        while running.run("ship"):
            pass
        connection.close()

    hub.take(*[placed(n) for n in range(300)])
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(effects.all()) == sorted(f"evt-{n}" for n in range(300))


def test_deliveries_that_lock_each_other_out_are_tried_again_without_costing_an_attempt(
    hub, handles, effects, monkeypatch
):
    # However late the second thread begins, the first still takes both of its rows.
    monkeypatch.setattr(working, "COMMIT_AFTER_S", 30)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS test_row (key text PRIMARY KEY, n int)")
        cursor.execute("INSERT INTO test_row VALUES ('x', 0), ('y', 0) ON CONFLICT DO NOTHING")
    both = threading.Barrier(2, timeout=10)
    met = threading.local()

    @handles("order.placed", retry=Retry(max_attempts=1), batch=2)
    def ship(event):
        # Two workers take the two rows in opposite order, each in two deliveries of one transaction, whichever
        # deliveries it has claimed.
        met.turns = getattr(met, "turns", 0) + 1
        key = met.rows[met.turns % 2]
        with connection.cursor() as cursor:
            cursor.execute("UPDATE test_row SET n = n + 1 WHERE key = %s", [key])
        if met.turns == 1:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait()
        effects.add(event)

    def work(rows):
        met.rows = rows
        running.run("ship")
        connection.close()

    hub.take(*[placed(n) for n in range(4)])
    threads = [threading.Thread(target=work, args=[rows]) for rows in ("xy", "yx")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    met.rows, met.turns = "xy", 1
    hub.run("ship")

    assert set(hub.states("ship")) == {"done"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(n) FROM test_row")
        assert cursor.fetchone()[0] == 4
        cursor.execute("DROP TABLE test_row")
    assert not Attempt.objects.exclude(outcome="succeeded").exists()
    assert pace.room("ship", 2) == 1, "from then on they are taken one at a time"


def test_the_sweep_finds_what_nobody_was_told_of(hub, handles, monkeypatch):
    @handles("order.placed")
    def ship(event): ...

    @handles("order.paid")
    def idle(event): ...

    hub.take(*[placed(n) for n in range(3)])
    told = []
    monkeypatch.setattr(waking, "wake", told.append)
    assert sweeping.sweep() == {"ship": 1}
    assert told == [1]
    # Nobody takes them, for minutes: tasks for workers that are not there must not pile up.
    later = timezone.now() + timedelta(minutes=5)
    swept = [sweeping.sweep(later + timedelta(seconds=second)) for second in range(60)]
    assert 0 < sum(map(bool, swept)) <= 6
    Handler.objects.filter(name="ship").update(paused=True)
    assert sweeping.sweep() == {}


def test_tasks_that_nobody_takes_up_do_not_pile_up(hub, handles, monkeypatch):
    monkeypatch.setattr(waking, "ON_ITS_WAY_S", 600)

    @handles("order.placed")
    def ship(event): ...

    cache.clear()
    with current_app.connection() as broker:
        channel = broker.default_channel
        channel.queue_purge(waking.QUEUE)
        for n in range(30):
            hub.take(placed(n))
        assert channel._size(waking.QUEUE) == 1
        waking.wake(1_000)
        assert channel._size(waking.QUEUE) == waking.MOST_WOKEN
        # One that was taken up has made room for another.
        waking.taken_up(0)
        hub.take(placed(30))
        assert channel._size(waking.QUEUE) == waking.MOST_WOKEN + 1
        channel.queue_purge(waking.QUEUE)
    cache.clear()


def test_a_broker_that_is_down_costs_nothing_but_time(hub, handles, effects, monkeypatch):
    @handles("order.placed")
    def ship(event):
        effects.add(event)

    # Nobody listens there.
    down = Celery("down", broker="redis://127.0.0.1:1/0", set_as_current=False)
    down.conf.broker_transport_options = current_app.conf.broker_transport_options
    monkeypatch.setattr(waking, "current_app", down)
    began = time.monotonic()
    hub.take(placed(1))
    assert time.monotonic() - began < 3
    assert hub.states("ship") == ["waiting"]
    hub.run("ship")
    assert effects.all() == ["evt-1"]


@pytest.mark.parametrize("change", [{"enabled": False}, {"paused": True}])
def test_a_handler_that_is_off_or_paused_does_nothing(hub, handles, effects, change):
    @handles("order.placed")
    def ship(event):
        effects.add(event)

    hub.take(placed(1))
    Handler.objects.filter(name="ship").update(**change)
    hub.run("ship")
    assert not effects.all()
    Handler.objects.update(enabled=True, paused=False)
    hub.run("ship")
    assert effects.all() == ["evt-1"]


def test_old_attempts_are_dropped_and_deliveries_stay_as_long_as_their_events(hub, handles, settings):
    @handles("order.placed", retry=Retry(max_attempts=3, base=300, cap=300))
    def ship(event):
        if event.event_id == "evt-3":
            raise ValueError("for a while")

    hub.take(*[placed(n) for n in range(1, 4)])
    hub.run("ship")
    settings.HANDLER_HISTORY_DAYS, settings.EVENT_RETENTION_DAYS = 30, 0
    now = timezone.now()
    assert pruning.prune(now + timedelta(days=29)) == 0
    assert pruning.prune(now + timedelta(days=31)) == 3
    assert Delivery.objects.count() == 3

    settings.EVENT_RETENTION_DAYS = 90
    assert pruning.prune(now + timedelta(days=80)) == 0
    assert pruning.prune(now + timedelta(days=92)) == 2
    assert Delivery.objects.get().event_id == "evt-3"  # it waits


def test_as_many_workers_are_woken_as_the_work_is_worth_less_those_at_work(handles):
    handles("order.placed", name="many")(lambda event: None)
    handles("order.placed", name="few", concurrency=2)(lambda event: None)
    many, few = registry.subscriptions()["many"], registry.subscriptions()["few"]

    def missing(subscription, free, workers):
        return sweeping.workers_missing(subscription, Due("", 1, free, START, range(workers)))

    assert [missing(many, free, 0) for free in (1, 500, 501, 10_000)] == [1, 1, 2, 8]
    assert [missing(many, 10_000, workers) for workers in (1, 7, 8, 9)] == [7, 1, 0, 0]
    assert [missing(few, 10_000, workers) for workers in (0, 1, 2)] == [2, 1, 0]
