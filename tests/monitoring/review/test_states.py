"""How a finding's state follows from what is found and decided."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.review.models import State
from monitoring.review.states import Step, advance

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER, PAST = NOW + timedelta(days=1), NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("state", "expires_at", "is_found", "after"),
    [
        (None, None, True, (State.OPEN, Step.FOUND)),
        (None, None, False, (None, Step.NONE)),
        (State.OPEN, None, True, (State.OPEN, Step.NONE)),
        (State.OPEN, None, False, (State.GONE, Step.GONE)),
        (State.GONE, None, True, (State.OPEN, Step.RETURNED)),
        (State.GONE, None, False, (State.GONE, Step.NONE)),
        (State.ACCEPTED, LATER, True, (State.ACCEPTED, Step.NONE)),
        (State.ACCEPTED, LATER, False, (State.GONE, Step.GONE)),
        (State.ACCEPTED, PAST, True, (State.OPEN, Step.LAPSED)),
        (State.SUPPRESSED, None, True, (State.SUPPRESSED, Step.NONE)),
        (State.SUPPRESSED, None, False, (State.SUPPRESSED, Step.NONE)),
        (State.SUPPRESSED, PAST, True, (State.OPEN, Step.LAPSED)),
        (State.SUPPRESSED, PAST, False, (State.GONE, Step.GONE)),
    ],
)
def test_each_step(state, expires_at, is_found, after):
    assert advance(state, expires_at, is_found=is_found, now=NOW) == after


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([None, State.ACCEPTED, State.SUPPRESSED, State.OPEN])),
        max_size=30,
    )
)
def test_whatever_happens_what_is_found_and_not_decided_about_is_open(runs):
    state, expires_at = None, None
    for number, (is_found, decision) in enumerate(runs):
        now = NOW + timedelta(hours=number)
        before = state
        state, step = advance(state, expires_at, is_found=is_found, now=now)
        if step is not Step.NONE:
            expires_at = None
        if is_found:
            assert state in (State.OPEN, State.ACCEPTED, State.SUPPRESSED)
            assert state is State.OPEN or expires_at is None or expires_at > now
        if step is Step.RETURNED:
            assert before is State.GONE
        if decision and state not in (None, State.GONE):
            state = decision
            expires_at = None if decision is State.OPEN else now + timedelta(hours=3)
