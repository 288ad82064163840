"""When a handler that fails on everything is stopped and tried again, for any sequence of outcomes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.handlers.breaker import Breaker, Circuit, Ran, Standing, after, may_probe, probing, wait_s

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
FIRST_FAILED = Ran(succeeded=False, is_first=True)
AGAIN_FAILED = Ran(succeeded=False, is_first=False)
SUCCEEDED = Ran(succeeded=True, is_first=True)

outcomes = st.lists(st.builds(Ran, st.booleans(), st.booleans()), max_size=60)
policies = st.builds(
    lambda count, probe_s, more_s: Breaker(after=count, probe_s=probe_s, cap_s=probe_s + more_s),
    st.integers(2, 30),
    st.floats(0.1, 100),
    st.floats(0, 1_000),
)


@given(policies, outcomes)
def test_it_opens_exactly_when_enough_first_attempts_failed_with_no_success_among_them(policy, ran):
    standing = after(policy, Standing(), ran, NOW)
    since = next((n for n, one in enumerate(reversed(ran)) if one.succeeded), len(ran))
    failed = sum(one.is_first for one in ran[len(ran) - since :])
    assert (standing.circuit is Circuit.OPEN) == (failed >= policy.after)
    assert standing.failures == failed


@given(policies, outcomes)
def test_a_success_closes_it_whatever_was_before(policy, ran):
    assert after(policy, Standing(), [*ran, SUCCEEDED], NOW) == Standing()


@given(policies, st.integers(1, 1_000))
def test_one_event_retried_for_ever_opens_nothing(policy, retries):
    ran = [FIRST_FAILED, *[AGAIN_FAILED] * retries]
    assert after(policy, Standing(), ran, NOW).circuit is Circuit.CLOSED


@given(policies, st.integers(0, 50))
def test_each_failed_probe_doubles_the_wait_up_to_the_cap(policy, probes):
    standing = after(policy, Standing(), [FIRST_FAILED] * policy.after, NOW)
    now = NOW
    for number in range(probes):
        assert standing.circuit is Circuit.OPEN
        assert standing.probe_at == now + timedelta(seconds=wait_s(policy, number))
        assert not may_probe(standing, standing.probe_at - timedelta(milliseconds=1))
        now = standing.probe_at
        assert may_probe(standing, now)
        standing = after(policy, probing(standing, now, timedelta(seconds=40)), [AGAIN_FAILED], now)
    assert standing.failed_probes == probes
    assert standing.opened_at == NOW
    assert policy.probe_s <= wait_s(policy, probes) <= policy.cap_s


def test_a_probe_that_is_never_heard_of_makes_room_for_another():
    policy = Breaker(after=2)
    standing = after(policy, Standing(), [FIRST_FAILED] * 2, NOW)
    later = NOW + timedelta(seconds=10)
    half_open = probing(standing, later, timedelta(seconds=40))
    assert not may_probe(half_open, later + timedelta(seconds=39))
    assert may_probe(half_open, later + timedelta(seconds=40))


def test_a_probe_that_succeeds_closes_it():
    policy = Breaker(after=2)
    standing = after(policy, Standing(), [FIRST_FAILED] * 2, NOW)
    half_open = probing(standing, NOW, timedelta(seconds=40))
    assert after(policy, half_open, [Ran(True, False)], NOW) == Standing()


@given(outcomes)
def test_a_handler_without_breaker_is_never_stopped(ran):
    assert after(None, Standing(), ran, NOW) == Standing()


@pytest.mark.parametrize("wrong", [{"after": 1}, {"probe_s": 0.0}, {"probe_s": 10.0, "cap_s": 5.0}])
def test_breakers_that_make_no_sense_are_refused_with_words(wrong):
    with pytest.raises(ValueError, match=r"Breaker\("):
        Breaker(**wrong)
