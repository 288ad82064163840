import math

from hypothesis import given
from hypothesis import strategies as st

from monitoring.rollups.histogram import ACCURACY, bucket_of, histogram, merge, percentile, value_of

durations = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)
many = st.lists(durations, max_size=60)


@given(durations)
def test_a_bucket_stands_for_its_durations_within_two_percent(duration):
    assert math.isclose(value_of(bucket_of(duration)), duration, rel_tol=ACCURACY * 1.0001)


@given(st.lists(durations, min_size=1, max_size=200), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_right_to_two_percent(values, q):
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    found = percentile(*histogram(values), q)
    assert found is not None
    assert abs(found - exact) <= exact * ACCURACY * 1.0001


@given(many, many, many)
def test_merging_is_associative_and_commutative_and_equals_counting_at_once(a, b, c):
    ha, hb, hc = histogram(a), histogram(b), histogram(c)
    assert merge([merge([ha, hb]), hc]) == merge([ha, merge([hb, hc])]) == merge([hc, ha, hb])
    assert merge([ha, hb, hc]) == histogram(a + b + c)


@given(st.floats(allow_nan=False))
def test_every_bucket_fits_a_smallint(duration):
    assert -32768 <= bucket_of(duration) <= 32767


def test_of_nothing_there_is_no_percentile():
    assert percentile([], [], 0.95) is None


def test_zero_and_negative_durations_count_as_the_shortest():
    assert bucket_of(0) == bucket_of(-5) == bucket_of(1e-6)
