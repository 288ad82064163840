"""Replaying stored events to one handler: the dry run tells, the replay does."""

from datetime import timedelta

import pytest

from dlq.models import DeadLetter, Status
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.handlers import PermanentError, replaying
from eventhub.handlers.control import NoSuchHandler
from eventhub.handlers.models import ReplayState
from eventhub.handlers.selecting import BadSelection, Selection
from tests.handlers.conftest import START, placed

OLGA = Actor("olga")


def carry_on(hub, name, replay):
    """What workers do until a replay is over."""
    while replay.state == ReplayState.RUNNING:
        replaying.advance()
        hub.run(name)
        replay.refresh_from_db()


@pytest.fixture
def shop(hub, handles, effects):
    """A handler that has processed 2, given up on 3, and came too late for 0 and 1."""
    hub.take(placed(0), placed(1), placed(9, event_type="order.paid"))
    broken = [True]

    @handles("order.placed", "order.shipped")
    def ship(event):
        if event.event_id == "evt-3" and broken[0]:
            raise PermanentError("not this one")
        effects.add(event)

    hub.take(placed(2), placed(3))
    hub.run("ship")
    hub.broken = broken
    return hub


def test_the_dry_run_says_how_many_and_which_are_processed_already_and_changes_nothing(shop, effects):
    before = shop.states("ship")
    plan = replaying.plan("ship", Selection())

    assert (plan.missed, plan.processed, plan.dead, plan.waiting) == (2, 1, 1, 0)
    assert [plan.delivers(which) for which in ("missed", "dead", "all")] == [2, 3, 4]
    assert [(one.event_id, one.state) for one in plan.examples] == [
        ("evt-0", ""), ("evt-1", ""), ("evt-2", "done"), ("evt-3", "dead"),
    ]  # fmt: skip
    assert shop.states("ship") == before
    assert effects.all() == ["evt-2"]


@pytest.mark.parametrize(
    ("which", "handled"),
    [("missed", ["evt-0", "evt-1"]), ("dead", ["evt-0", "evt-1", "evt-3"]),
     ("all", ["evt-0", "evt-1", "evt-2", "evt-3"])],
)  # fmt: skip
def test_a_replay_delivers_what_the_dry_run_told(shop, effects, which, handled):
    shop.broken[0] = False
    told = replaying.plan("ship", Selection()).delivers(which)
    replay = replaying.start("ship", Selection(), which, OLGA)
    carry_on(shop, "ship", replay)

    assert effects.all() == ["evt-2", *handled]
    assert replay.state == ReplayState.DONE
    assert (replay.looked_at, replay.delivered) == (4, told)
    assert AuditEntry.objects.filter(actor="olga", action="replay", target="handler ship").exists()


def test_a_dead_letter_whose_event_is_replayed_with_success_is_resolved(shop):
    shop.broken[0] = False
    carry_on(shop, "ship", replaying.start("ship", Selection(), "dead", OLGA))
    assert DeadLetter.objects.get().status == Status.RESOLVED


def test_a_replay_again_and_again_does_nothing_twice(shop, effects):
    for _ in range(2):
        carry_on(shop, "ship", replaying.start("ship", Selection(), "missed", OLGA))
    assert effects.all() == ["evt-2", "evt-0", "evt-1"]


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (Selection(since=START + timedelta(seconds=1)), {"evt-1", "evt-2", "evt-3"}),
        (Selection(until=START + timedelta(seconds=1)), {"evt-0"}),
        (Selection(correlation_id="order-1"), {"evt-1"}),
        (Selection(service="checkout"), {"evt-0", "evt-1", "evt-2", "evt-3"}),
        (Selection(service="nobody"), set()),
        (Selection(event_types=["order.shipped"]), set()),
    ],
)
def test_only_what_was_selected_is_replayed(shop, effects, selection, found):
    shop.broken[0] = False
    plan = replaying.plan("ship", selection)
    assert plan.total == len(found)
    carry_on(shop, "ship", replaying.start("ship", selection, "all", OLGA))
    assert set(effects.all()[1:]) == found


def test_types_the_handler_does_not_ask_for_are_refused(shop):
    with pytest.raises(BadSelection, match=r"does not ask for order\.paid"):
        replaying.plan("ship", Selection(event_types=["order.paid"]))
    with pytest.raises(BadSelection, match="ends before it begins"):
        replaying.start("ship", Selection(since=START, until=START), "missed", OLGA)
    with pytest.raises(NoSuchHandler, match="There are: ship"):
        replaying.plan("shop", Selection())


def test_a_long_replay_leaves_room_for_todays_events_and_goes_on_where_it_was(
    hub, handles, effects, monkeypatch
):
    monkeypatch.setattr(replaying, "MOST_WAITING", 20)
    monkeypatch.setattr(replaying, "STRETCH", 8)
    hub.take(*[placed(n, event_type=f"order.{'ab'[n % 2]}") for n in range(100)])

    @handles("order.*")
    def ship(event):
        effects.add(event)

    replay = replaying.start("ship", Selection(), "missed", OLGA)
    replaying.advance()
    assert hub.states("ship").count("waiting") == 20
    carry_on(hub, "ship", replay)

    # All types together, in the order of their time.
    assert effects.all() == [f"evt-{n}" for n in range(100)]


def test_a_cancelled_replay_adds_nothing_more(hub, handles, effects, monkeypatch):
    monkeypatch.setattr(replaying, "MOST_WAITING", 5)
    hub.take(*[placed(n) for n in range(20)])

    @handles("order.*")
    def ship(event):
        effects.add(event)

    replay = replaying.start("ship", Selection(), "missed", OLGA)
    replaying.advance()
    replaying.cancel(replay.pk, OLGA)
    hub.run("ship")
    replaying.advance()
    hub.run("ship")
    assert len(effects.all()) == 5
