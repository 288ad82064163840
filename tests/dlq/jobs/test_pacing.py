from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dlq.jobs.pacing import Candidate, KeyPace

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
keys = st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=40)


@given(st.integers(1, 5), st.integers(1, 60), st.lists(st.tuples(st.floats(0, 40), keys), max_size=20))
def test_no_interval_holds_more_of_a_key_than_the_cap(
    cap: int, interval_s: int, rounds: list[tuple[float, list[str]]]
) -> None:
    interval = timedelta(seconds=interval_s)
    pace, now = KeyPace(cap, interval), START
    sent: list[tuple[datetime, str]] = []
    for after_s, waiting in rounds:
        now += timedelta(seconds=after_s)
        chosen = pace.choose([Candidate(n, key) for n, key in enumerate(waiting)], now)
        assert [c.retry_id for c in chosen] == sorted(c.retry_id for c in chosen), "their order is kept"
        assert sum(not c.key for c in chosen) == waiting.count(""), "what has no key is not held back"
        assert not {c.key for c in chosen} & set(pace.full(now))
        pace.note([c.key for c in chosen], now)
        sent += [(now, c.key) for c in chosen if c.key]
    for at, _ in sent:
        within = Counter(key for other, key in sent if at <= other < at + interval)
        assert max(within.values()) <= cap


@given(st.integers(1, 3), st.integers(1, 60), st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_a_full_key_is_free_when_it_says_so(cap: int, interval_s: int, names: list[str]) -> None:
    pace = KeyPace(cap, timedelta(seconds=interval_s))
    chosen = pace.choose([Candidate(n, key) for n, key in enumerate(names)], START)
    pace.note([c.key for c in chosen], START)
    full = pace.full(START)
    free_at = pace.free_at(START)
    assert (free_at is None) == (not full)
    if free_at is not None:
        assert pace.full(free_at - timedelta(microseconds=1)) == full
        assert pace.full(free_at) == []
