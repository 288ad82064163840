from hypothesis import given
from hypothesis import strategies as st

from monitoring.lag.groups.behind import MOST_POINTS, End, note, passed_at, seconds_behind


def test_between_two_points_the_log_grew_evenly():
    ends = [End(100, 0), End(110, 10), End(120, 110)]
    assert passed_at(ends, 5) == 105
    assert passed_at(ends, 60) == 115


def test_before_the_first_point_it_grew_as_fast_as_since():
    assert passed_at([End(100, 1_000), End(110, 1_100)], 900) == 90


def test_of_a_log_seen_once_or_that_stands_still_nothing_is_known():
    assert passed_at([End(100, 50)], 10) is None
    assert passed_at([End(100, 50), End(200, 50)], 10) is None
    assert passed_at([], 10) is None


def test_lag_in_seconds_tells_unknown_from_zero():
    ends = [End(100, 0), End(110, 10)]
    assert seconds_behind(ends, 10, 0, 500) == 0
    assert seconds_behind(ends, 10, None, 500) is None
    assert seconds_behind(ends, 5, 5, 125) == 20


def test_a_topic_that_was_made_anew_begins_anew():
    assert note([End(1, 900), End(2, 950)], End(3, 4)) == [End(3, 4)]


@given(st.lists(st.integers(0, 50), min_size=2, max_size=400), st.data())
def test_however_long_the_log_is_watched_the_error_stays_within_the_points_kept(growths, data):
    ends: list[End] = []
    exact: list[tuple[float, int]] = []
    offset = 0
    for n, growth in enumerate(growths):
        offset += growth
        exact.append((5.0 * n, offset))
        ends = note(ends, End(5.0 * n, offset))
    assert len(ends) <= MOST_POINTS + 1
    assert [end.at_s for end in ends] == sorted(end.at_s for end in ends)
    if ends[0].offset >= offset:
        return
    position = data.draw(st.integers(ends[0].offset, offset - 1))
    found = passed_at(ends, position)
    assert found is not None
    # The true moment lies in the same stretch between two kept points.
    truth = next(at for at, end in exact if end > position)
    later = next(end.at_s for end in ends if end.offset > position)
    earlier = max(end.at_s for end in ends if end.offset <= position)
    assert earlier <= found <= later
    assert earlier <= truth <= later


@given(st.lists(st.integers(1, 50), min_size=3, max_size=30), st.data())
def test_who_is_further_is_less_behind(growths, data):
    ends, offset = [], 0
    for n, growth in enumerate(growths):
        offset += growth
        ends.append(End(10.0 * n, offset))
    here = data.draw(st.integers(0, offset - 1))
    there = data.draw(st.integers(here, offset - 1))
    at_here, at_there = passed_at(ends, here), passed_at(ends, there)
    assert at_here is not None
    assert at_there is not None
    assert at_here <= at_there + 1e-9
