"""How an instance stands, by what was seen and the clock; what ways are the same; what they suggest."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.traces.assemble import assemble
from eventhub.traces.flow.figures import Usual
from eventhub.traces.models import InstanceState, Role
from eventhub.traces.processes.proposing import Way, steps_of
from eventhub.traces.processes.standing import Passed, Plan, PlannedStep, standing_of
from eventhub.traces.processes.variants import path_of
from tests.traces.building import START, at, event

PLAN = Plan(
    start_type="order.placed",
    deadline_s=600,
    steps=(
        PlannedStep(event_type="payment.captured", within_s=10),
        PlannedStep(event_type="shipment.sent", after="payment.captured"),
        PlannedStep(event_type="order.completed", role=Role.END, after="shipment.sent"),
        PlannedStep(event_type="payment.declined", role=Role.FAILURE),
        PlannedStep(event_type="shipment.lost", role=Role.FAILURE, after="shipment.sent"),
        PlannedStep(event_type="payment.refunded", role=Role.COMPENSATION, after="shipment.lost",
                    undoes="payment.captured", within_s=20),
        PlannedStep(event_type="order.cancelled", role=Role.ABORT, within_s=30),
    ),
)  # fmt: skip
USUAL = {("payment.captured", "shipment.sent"): Usual(1000, 2.0, 20.0, 60.0)}


def stands(now_s, *passed):
    events = [Passed(name, at(seconds)) for seconds, name in enumerate(("order.placed", *passed))]
    return standing_of(PLAN, events, USUAL, at(now_s))


@pytest.mark.parametrize(
    ("now_s", "passed", "state", "missing"),
    [
        (5, (), "running", "payment.captured"),
        (11, (), "stuck", "payment.captured"),
        (30, ("payment.captured",), "running", "shipment.sent"),
        (70, ("payment.captured",), "stuck", "shipment.sent"),  # past the p99 of that step
        (500, ("payment.captured", "shipment.sent"), "running", "order.completed"),
        (601, ("payment.captured", "shipment.sent"), "stuck", "order.completed"),  # past the deadline
        (9999, ("payment.captured", "shipment.sent", "order.completed"), "completed", ""),
        (9999, ("order.completed",), "completed", ""),
        (5, ("payment.declined",), "compensating", "order.cancelled"),
        (40, ("payment.declined",), "stuck", "order.cancelled"),
        (9999, ("payment.declined", "order.cancelled"), "compensated", ""),
        (10, ("payment.captured", "shipment.sent", "shipment.lost"), "compensating", "payment.refunded"),
        (30, ("payment.captured", "shipment.sent", "shipment.lost"), "stuck", "payment.refunded"),
        (9999, ("payment.captured", "shipment.sent", "shipment.lost", "payment.refunded", "order.cancelled"),
         "compensated", ""),
    ],
)  # fmt: skip
def test_an_instance_stands_as_its_events_and_the_clock_say(now_s, passed, state, missing):
    standing = stands(now_s, *passed)
    assert (standing.state, standing.missing_type) == (state, missing)


def test_what_was_undone_is_named():
    done = stands(
        99, "payment.captured", "shipment.sent", "shipment.lost", "payment.refunded", "order.cancelled"
    )
    assert done.undone == ("payment.captured",)


_passed = st.lists(
    st.tuples(st.sampled_from([step.event_type for step in PLAN.steps]), st.integers(0, 700)), max_size=8
)


@given(_passed, st.integers(0, 2000), st.randoms())
def test_the_order_in_which_events_are_told_changes_nothing(passed, now_s, random):
    events = [Passed("order.placed", START), *(Passed(name, at(seconds)) for name, seconds in passed)]
    shuffled = events[:]
    random.shuffle(shuffled)
    assert standing_of(PLAN, events, USUAL, at(now_s)) == standing_of(PLAN, shuffled, USUAL, at(now_s))


@given(_passed)
def test_the_clock_alone_only_makes_an_instance_stuck_and_exactly_when_it_is_due(passed):
    events = [Passed("order.placed", START), *(Passed(name, at(seconds)) for name, seconds in passed)]
    now = standing_of(PLAN, events, USUAL, START)
    if now.due_at is None:
        assert now.state in (InstanceState.COMPLETED, InstanceState.COMPENSATED, InstanceState.STUCK)
        assert standing_of(PLAN, events, USUAL, at(10**6)).state == now.state
    else:
        assert standing_of(PLAN, events, USUAL, now.due_at).state == now.state
        late = standing_of(PLAN, events, USUAL, now.due_at + timedelta(milliseconds=1))
        assert (late.state, late.missing_type) == (InstanceState.STUCK, now.missing_type)


def tree(*parts):
    """A trace of (id, type, cause) parts, a second apart."""
    events = [
        event(name, kind, seconds, causation_id=cause) for seconds, (name, kind, cause) in enumerate(parts)
    ]
    trace = assemble("c-1", events, now=START)
    assert trace is not None
    return trace


def test_the_order_of_equal_branches_makes_no_other_variant():
    one = tree(("a", "order.placed", None), ("b", "email.sent", "a"), ("c", "payment.captured", "a"))
    other = tree(("a", "order.placed", None), ("c", "payment.captured", "a"), ("b", "email.sent", "a"))
    assert path_of(one).digest == path_of(other).digest
    assert [(s.depth, s.event_type) for s in path_of(one).stations] == [
        (0, "order.placed"), (1, "email.sent"), (1, "payment.captured"),
    ]  # fmt: skip


def test_another_cause_or_another_number_is_another_variant():
    paths = [
        tree(("a", "order.placed", None), ("b", "email.sent", "a"), ("c", "payment.captured", "b")),
        tree(("a", "order.placed", None), ("b", "email.sent", "a"), ("c", "payment.captured", "a")),
        tree(("a", "order.placed", None), ("b", "email.sent", "a"), ("c", "email.sent", "a")),
        tree(("a", "order.placed", None), ("b", "email.sent", "a")),
    ]
    assert len({path_of(one).digest for one in paths}) == 4


def test_what_repeats_is_told_once_with_its_number():
    many = tree(("a", "order.placed", None), *((f"b{n}", "parcel.moved", "a") for n in range(50)))
    assert [(s.event_type, s.times) for s in path_of(many).stations] == [
        ("order.placed", 1),
        ("parcel.moved", 50),
    ]


def test_the_ways_suggest_steps_an_end_and_what_undoes_them():
    usual = (
        (0, "order.placed"), (1, "payment.captured"), (2, "shipment.sent"), (3, "order.completed"), (4, "email.sent"),
    )  # fmt: skip
    billed = (*usual, (1, "invoice.issued"))
    declined = ((0, "order.placed"), (1, "payment.declined"), (2, "order.cancelled"), (3, "email.sent"))
    lost = (
        (0, "order.placed"), (1, "payment.captured"), (2, "shipment.lost"), (3, "payment.refunded"),
        (4, "order.cancelled"),
    )  # fmt: skip
    waiting = ((0, "order.placed"), (1, "payment.captured"))
    ways = [Way(usual, 80), Way(billed, 30), Way(declined, 6), Way(lost, 3), Way(waiting, 2)]
    steps = [(s.event_type, str(s.role), s.after, s.undoes) for s in steps_of("order.placed", ways)]
    assert steps == [
        ("payment.captured", "step", "order.placed", ""),
        ("shipment.sent", "step", "payment.captured", ""),
        ("order.completed", "end", "shipment.sent", ""),
        ("payment.declined", "failure", "order.placed", ""),
        ("shipment.lost", "failure", "payment.captured", ""),
        ("payment.refunded", "compensation", "shipment.lost", "payment.captured"),
        ("order.cancelled", "abort", "payment.declined", ""),
    ]
