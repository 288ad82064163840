"""When a delivery is tried again: the policy's promises, for any policy."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eventhub.handlers import PermanentError, Retry, TemporaryError
from eventhub.handlers.retry import MOST_ASKED_S, GiveUp, RetryIn, Why, decide, longest_wait_s


class Busy(Exception): ...


class VeryBusy(Busy): ...


class Refused(PermanentError): ...


rolls = st.floats(0, 1, exclude_max=True)
attempts = st.integers(1, 10_000)


@st.composite
def policies(draw, **fixed):
    cap = draw(st.floats(0, 1e6))
    values = {
        "max_attempts": draw(st.integers(1, 10_000)),
        "base": draw(st.floats(0, cap)),
        "cap": cap,
        "unexpected": draw(st.sampled_from(["retry", "dead_letter"])),
    }
    return Retry(**(values | fixed))


@given(policies(), attempts, rolls)
def test_a_wait_lies_between_nothing_and_the_doubled_base_capped(policy, attempt, roll):
    decision = decide(policy, TemporaryError(), attempt, roll)
    if attempt >= policy.max_attempts:
        assert decision == GiveUp(Why.LAST_ATTEMPT)
    else:
        assert isinstance(decision, RetryIn)
        # The formula itself, in the open: random(0, min(cap, base · 2^n)), n = 0 before the first retry.
        doubled = policy.base * 2.0 ** min(attempt - 1, 1_000)
        assert decision.delay_s == pytest.approx(roll * min(policy.cap, doubled))
        assert 0 <= decision.delay_s <= policy.cap


@given(policies(), st.integers(0, 10_000))
def test_the_longest_wait_never_shrinks_and_never_passes_the_cap(policy, retry):
    assert longest_wait_s(policy, retry) <= longest_wait_s(policy, retry + 1) <= policy.cap


@given(policies(), attempts, rolls)
def test_permanent_errors_are_never_tried_again(policy, attempt, roll):
    assert decide(policy, Refused(), attempt, roll) == GiveUp(Why.PERMANENT)


@given(policies(), attempts, rolls)
def test_whatever_is_decided_never_exceeds_the_attempts(policy, attempt, roll):
    decision = decide(policy, Busy(), attempt, roll)
    if isinstance(decision, RetryIn):
        assert attempt < policy.max_attempts


@given(policies(unexpected="dead_letter", temporary=(Busy,)), attempts, rolls)
def test_where_only_listed_errors_are_temporary_their_subclasses_are_too_and_others_are_not(
    policy, attempt, roll
):
    assume(attempt < policy.max_attempts)
    assert isinstance(decide(policy, VeryBusy(), attempt, roll), RetryIn)
    assert decide(policy, ValueError(), attempt, roll) == GiveUp(Why.PERMANENT)


@given(policies(), attempts, rolls)
def test_the_most_particular_override_counts(policy, attempt, roll):
    patient = Retry(max_attempts=20_000, base=0.0, cap=0.0)
    overridden = Retry(
        max_attempts=policy.max_attempts,
        base=policy.base,
        cap=policy.cap,
        overrides={Busy: None, VeryBusy: patient, PermanentError: patient},
    )
    assert decide(overridden, Busy(), attempt, roll) == GiveUp(Why.PERMANENT)
    assert decide(overridden, VeryBusy(), attempt, roll) == RetryIn(0.0)
    assert decide(overridden, Refused(), attempt, roll) == RetryIn(0.0)


@given(policies(), rolls, st.floats(allow_nan=True, allow_infinity=True))
def test_an_error_may_ask_for_more_time_but_not_for_ever_nor_for_less(policy, roll, asked):
    assume(policy.max_attempts > 1)
    plain = decide(policy, TemporaryError(), 1, roll)
    decision = decide(policy, TemporaryError(retry_after_s=asked), 1, roll)
    assert isinstance(plain, RetryIn)
    assert isinstance(decision, RetryIn)
    assert plain.delay_s <= decision.delay_s <= plain.delay_s + MOST_ASKED_S
    if 0 <= asked <= MOST_ASKED_S:
        assert decision.delay_s >= asked


def test_jitter_spreads_over_the_whole_range():
    policy = Retry(max_attempts=5, base=8.0, cap=60.0)
    waits = [decide(policy, Busy(), 2, n / 100).delay_s for n in range(100)]
    assert waits[0] == 0
    assert waits[50] == 8.0
    assert waits[-1] > 15.8


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"base": -1.0},
        {"base": 5.0, "cap": 1.0},
        {"cap": math.inf},
        {"base": math.nan},
        {"unexpected": "shrug"},
    ],
)
def test_policies_that_make_no_sense_are_refused_with_words(wrong):
    with pytest.raises(ValueError, match=r"Retry\("):
        Retry(**wrong)
