from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from eventhub.traces.assemble import State, assemble
from tests.traces.building import START, at, event, letter, receipt

LATER = START + timedelta(hours=1)
ids = st.sampled_from([f"e{number}" for number in range(8)])


@st.composite
def any_event(draw):
    return event(
        draw(ids),
        draw(
            st.sampled_from(["order.placed", "payment.failed", "x", "", "..", "eventhub.delivery.succeeded"])
        ),
        draw(st.floats(-1e6, 1e6)),
        causation_id=draw(st.none() | ids | st.just("unknown") | st.just("")),
        source=draw(st.none() | st.sampled_from(["a", "b"])),
    )


@given(st.lists(any_event(), max_size=30))
def test_whatever_the_causes_every_event_appears_exactly_once(events):
    trace = assemble("c", events, now=LATER)
    if not events:
        assert trace is None
        return
    assert sorted(step.event.position for step in trace.steps) == sorted(one.position for one in events)


@given(st.lists(any_event(), min_size=1, max_size=30))
def test_a_cause_always_stands_above_its_effects_and_depth_counts_the_way_to_the_root(events):
    for step in assemble("c", events, now=LATER).steps:
        if step.cause is None:
            assert step.depth == 0
        else:
            assert step.cause < step.index


@given(st.lists(any_event(), min_size=1, max_size=30), st.randoms())
def test_the_order_of_arrival_does_not_matter(events, random):
    shuffled = random.sample(events, len(events))
    tree = [(step.event.position, step.depth) for step in assemble("c", events, now=LATER).steps]
    assert [(step.event.position, step.depth) for step in assemble("c", shuffled, now=LATER).steps] == tree


def test_effects_stand_below_their_cause_in_order_of_time():
    events = [
        event("c", seconds=3, causation_id="a"),
        event("d", seconds=1, causation_id="b"),
        event("b", seconds=2, causation_id="a"),
        event("a"),
    ]
    steps = assemble("c-1", events, now=LATER).steps
    assert [(step.event_id, step.depth) for step in steps] == [("a", 0), ("b", 1), ("d", 2), ("c", 1)]
    assert steps[0].descends == 3
    assert steps[0].caused == 2


def test_an_event_with_an_unknown_cause_is_a_root_and_says_so():
    (step,) = assemble("c-1", [event("a", causation_id="lost")], now=LATER).steps
    assert step.orphan
    assert step.hop_s is None


def test_an_event_that_caused_itself_is_a_root():
    (step,) = assemble("c-1", [event("a", causation_id="a")], now=LATER).steps
    assert step.circular
    assert not step.orphan


def test_a_circle_is_cut_at_its_earliest_event():
    events = [event("a", seconds=2, causation_id="b"), event("b", seconds=1, causation_id="a")]
    steps = assemble("c-1", events, now=LATER).steps
    assert [(step.event_id, step.depth, step.circular) for step in steps] == [("b", 0, True), ("a", 1, False)]


def test_an_effect_before_its_cause_keeps_its_negative_hop():
    steps = assemble(
        "c-1", [event("a", seconds=5), event("b", seconds=4.9, causation_id="a")], now=LATER
    ).steps
    assert steps[1].hop_s == -0.1


def test_a_chain_of_ten_thousand_events_is_assembled():
    events = [event(f"e{n}", seconds=n, causation_id=f"e{n - 1}" if n else None) for n in range(10_000)]
    steps = assemble("c-1", events, now=LATER).steps
    assert steps[-1].depth == 9_999


def test_receipts_become_deliveries_of_the_event_they_are_about():
    trace = assemble("c-1", [receipt("a", "billing", 2), event("a")], now=LATER)
    (step,) = trace.steps
    assert [delivery.service for delivery in step.deliveries] == ["billing"]
    assert step.deliveries[0].duration_s == 0.2
    assert trace.services == ("shop", "billing")
    assert trace.duration_s == 2


def test_a_receipt_about_an_unknown_event_is_shown_as_an_event():
    (step,) = assemble("c-1", [receipt("gone", "billing")], now=LATER).steps
    assert step.event_type == "eventhub.delivery.succeeded"


def test_a_letter_whose_event_was_not_stored_is_a_step_of_its_own():
    steps = assemble("c-1", [event("a")], [letter("b", causation_id="a")], now=LATER).steps
    assert [(step.event_id, step.event is None, step.depth) for step in steps] == [
        ("a", False, 0),
        ("b", True, 1),
    ]


def test_a_letter_without_an_event_id_is_still_shown():
    (step,) = assemble("c-1", [], [letter(None, event_type=None)], now=LATER).steps
    assert step.letters[0].id == 1


def test_an_open_dead_letter_makes_the_trace_dead():
    assert assemble("c-1", [event("a")], [letter("a")], now=LATER).state is State.DEAD


def test_a_resolved_dead_letter_leaves_the_trace_ok():
    assert assemble("c-1", [event("a")], [letter("a", status="resolved")], now=LATER).state is State.OK


def test_a_retry_on_its_way_is_running():
    assert assemble("c-1", [event("a")], [letter("a", status="sent")], now=LATER).state is State.RUNNING


def test_a_service_that_gave_up_makes_the_trace_failed():
    events = [event("a"), receipt("a", "billing", ok=False, will_retry=False)]
    assert assemble("c-1", events, now=LATER).state is State.FAILED


def test_a_service_that_will_try_again_is_running():
    events = [event("a"), receipt("a", "billing", ok=False, will_retry=True)]
    assert assemble("c-1", events, now=LATER).state is State.RUNNING


def test_a_later_success_of_the_same_service_outweighs_its_failure():
    events = [
        event("a"),
        receipt("a", "billing", 1, ok=False, will_retry=True),
        receipt("a", "billing", 2, attempt=2),
    ]
    assert assemble("c-1", events, now=LATER).state is State.OK


def test_a_type_that_says_failed_makes_the_trace_failed():
    assert assemble("c-1", [event("a", "payment.failed")], now=LATER).state is State.FAILED


def test_a_trace_is_running_for_some_seconds_after_its_last_event():
    assert assemble("c-1", [event("a")], now=at(2)).state is State.RUNNING
    assert assemble("c-1", [event("a")], now=at(20)).state is State.OK


def test_the_same_id_at_two_times_is_two_steps():
    steps = assemble(
        "c-1", [event("a"), event("a", seconds=1), event("b", causation_id="a")], now=LATER
    ).steps
    assert len(steps) == 3


def test_a_failure_whose_dead_letter_was_sent_again_is_running_and_no_longer_failed():
    events = [event("a"), receipt("a", "shipping", ok=False, will_retry=False)]
    assert assemble("c-1", events, [letter("a")], now=LATER).state is State.DEAD
    assert assemble("c-1", events, [letter("a", status="sent")], now=LATER).state is State.RUNNING
    assert assemble("c-1", events, [letter("a", status="discarded")], now=LATER).state is State.OK


def test_a_receipt_about_a_message_that_died_belongs_to_its_dead_letter():
    (step,) = assemble("c", [receipt("lost", "crm")], [letter("lost")], now=LATER).steps
    assert [delivery.service for delivery in step.deliveries] == ["crm"]
    assert step.event is None
