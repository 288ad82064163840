from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dlq.jobs.bucket import Bucket, take

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
rates = st.floats(0.01, 10_000)
asks = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 2_000)), max_size=60)


@given(rates, asks)
def test_no_stretch_of_time_grants_more_than_the_rate_and_one_burst(
    rate: float, asks: list[tuple[float, int]]
) -> None:
    bucket, now = Bucket(), START
    granted: list[tuple[datetime, int]] = []
    for after_s, wanted in asks:
        now += timedelta(seconds=after_s)
        taken = take(bucket, rate, wanted, now)
        assert 0 <= taken.granted <= wanted
        bucket = taken.bucket
        granted.append((now, taken.granted))
    burst = max(1.0, rate)
    for i, (since, _) in enumerate(granted):
        total = 0
        for until, count in granted[i:]:
            total += count
            seconds = (until - since).total_seconds()
            assert total <= rate * seconds + burst + 1e-3 * (1 + rate)


@given(rates, st.integers(1, 2_000))
def test_who_waits_as_long_as_told_gets_one_more(rate: float, wanted: int) -> None:
    bucket, now = Bucket(), START
    for _ in range(20):
        taken = take(bucket, rate, wanted, now)
        bucket = taken.bucket
        now += timedelta(seconds=taken.wait_s) + timedelta(microseconds=10)
    assert take(bucket, rate, 1, now).granted == 1


@given(rates, st.floats(0, 1_000))
def test_a_clock_that_goes_back_grants_nothing_extra(rate: float, back_s: float) -> None:
    first = take(Bucket(), rate, 1_000_000, START)
    earlier = take(first.bucket, rate, 1_000_000, START - timedelta(seconds=back_s))
    assert earlier.granted <= 1
    again = take(earlier.bucket, rate, 1_000_000, START)
    assert earlier.granted + again.granted <= 1
