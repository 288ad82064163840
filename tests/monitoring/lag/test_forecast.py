import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.lag.groups.forecast import forecast, growth_per_s


@given(st.floats(-20, 20), st.integers(0, 10**6), st.integers(6, 100))
def test_an_even_trend_is_found_exactly(per_s, start, count):
    points = [(1e9 + 5.0 * n, start + round(per_s * 5 * n)) for n in range(count)]
    assert growth_per_s(points) == pytest.approx(per_s, abs=0.06)


def test_a_moment_is_no_trend():
    assert growth_per_s([]) is None
    assert growth_per_s([(0, 5), (5, 6), (10, 7)]) is None


def test_a_backlog_that_shrinks_says_when_it_is_drained():
    told = forecast(7_200, -10.0)
    assert (told.kind, told.in_s) == ("drains", 720)


def test_a_queue_of_limited_length_says_when_it_is_full():
    told = forecast(4_000, 10.0, capacity=10_000)
    assert (told.kind, told.in_s) == ("fills", 600)
    assert forecast(4_000, 10.0).kind == "grows"


def test_empty_and_unknown_are_two_things():
    assert forecast(0, None).kind == "empty"
    assert forecast(None, 5.0).kind == "unknown"
    assert forecast(10, None).kind == "unknown"


def test_what_hardly_moves_is_steady():
    assert forecast(10_000, 0.5).kind == "steady"
