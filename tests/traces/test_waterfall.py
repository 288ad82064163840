from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.kinds import Kind
from eventhub.traces.assemble import assemble
from eventhub.traces.waterfall import CHUNK, WHOLE, layout_of, miniature, waterfall
from tests.traces.building import START, event, letter, receipt
from tests.traces.test_assemble import any_event

LATER = START + timedelta(hours=1)


@given(st.lists(any_event(), min_size=1, max_size=20))
def test_everything_drawn_lies_inside_of_the_picture(events):
    trace = assemble("c", events, now=LATER)
    for row in waterfall(layout_of(trace)).rows:
        assert 0 <= row.left <= row.left + row.width <= 100.4
        assert 0 <= row.point <= 100
    for mark in miniature(trace):
        assert 0 <= mark.left <= 100
        assert 0 <= mark.top <= mark.top + mark.height <= 100.1


def test_a_bar_reaches_from_its_cause_to_its_event():
    trace = assemble(
        "c", [event("a"), event("b", seconds=5, causation_id="a"), event("c", seconds=10)], now=LATER
    )
    row = waterfall(layout_of(trace)).rows[1]
    assert (row.left, row.width, row.point) == (0, 50, 50)


def test_deliveries_that_overlap_lie_in_lanes_of_their_own():
    events = [event("a"), *(receipt("a", service, 1) for service in "bcde")]
    (row,) = waterfall(layout_of(assemble("c", events, now=LATER))).rows
    assert row.lanes == 3
    assert len({bar.top for bar in row.bars}) == 3


def test_an_attempt_that_was_followed_by_another_is_not_red():
    events = [
        event("a"),
        receipt("a", "b", 1, ok=False, will_retry=True),
        receipt("a", "b", 2, ok=False, will_retry=False, attempt=2),
    ]
    (row,) = waterfall(layout_of(assemble("c", events, now=LATER))).rows
    assert [bar.kind for bar in row.bars] == ["busy", "broken"]
    assert [outcome.attempt for outcome in row.outcomes] == [2]


def test_a_long_trace_is_drawn_in_pieces():
    layout = layout_of(assemble("c", [event(f"e{n}", seconds=n) for n in range(WHOLE + 5)], now=LATER))
    first = waterfall(layout, most=CHUNK)
    assert first.is_windowed
    assert (len(first.rows), first.next_row, first.total_rows) == (CHUNK, CHUNK, WHOLE + 5)
    last = waterfall(layout, WHOLE, CHUNK)
    assert [row.number for row in last.rows] == list(range(WHOLE + 1, WHOLE + 6))
    assert last.next_row is None


def test_only_the_steps_asked_for_are_rows():
    layout = layout_of(assemble("c", [event(f"e{n}", seconds=n) for n in range(9)], now=LATER))
    some = waterfall(layout, among=[2, 5])
    assert [(row.step.event_id, row.number) for row in some.rows] == [("e2", 1), ("e5", 2)]
    assert some.total_rows == 2


def test_a_row_names_the_broker_that_had_it():
    layout = layout_of(
        assemble("c", [event("a", origin_id=7), event("b", seconds=1)], now=LATER),
        brokers={7: Kind.RABBITMQ},
    )
    known, unknown = waterfall(layout).rows
    assert (known.broker, unknown.broker, unknown.glyph) == (Kind.RABBITMQ, None, "")
    assert known.glyph


def test_a_dead_letter_is_marked_where_it_died():
    (row,) = waterfall(layout_of(assemble("c", [event("a")], [letter("a")], now=LATER))).rows
    assert row.letters[0][1] == 100
