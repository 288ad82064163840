from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.states import Life, Step, advance

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def steps(truths: list[bool], for_s: float, keep_s: float, every_s: float = 5.0) -> list[Step]:
    life: Life | None = None
    taken = []
    for n, is_true in enumerate(truths):
        life, step = advance(life, is_true, NOON + timedelta(seconds=every_s * n), for_s, keep_s)
        taken.append(step)
    return taken


def told(taken: list[Step]) -> list[Step]:
    return [step for step in taken if step in (Step.FIRE, Step.CLEAR)]


def test_an_incident_fires_once_and_clears_once():
    assert told(steps([False] * 3 + [True] * 20 + [False] * 20, 10, 20)) == [Step.FIRE, Step.CLEAR]


def test_what_is_over_before_its_time_is_told_to_nobody():
    assert told(steps([True, False, True, False] * 5, 10, 20)) == []


def test_what_goes_up_and_down_while_it_fires_does_not_flap():
    assert told(steps([True] * 5 + [False, True, False, False, True] * 8, 10, 20)) == [Step.FIRE]


def test_without_a_time_to_hold_it_fires_at_once():
    assert steps([True], 0, 0) == [Step.FIRE]


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 60), st.integers(0, 60))
def test_firing_and_clearing_take_turns_whatever_happens(truths, for_s, keep_s):
    turns = told(steps(truths, for_s, keep_s))
    assert turns == [Step.FIRE, Step.CLEAR] * (len(turns) // 2) + [Step.FIRE] * (len(turns) % 2)


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 60), st.integers(0, 60))
def test_nothing_fires_that_did_not_hold_long_enough(truths, for_s, keep_s):
    for n, step in enumerate(steps(truths, for_s, keep_s)):
        if step is Step.FIRE:
            held = int(-(-for_s // 5))
            assert all(truths[n - held : n + 1])
