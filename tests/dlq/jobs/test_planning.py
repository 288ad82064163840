from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dlq.jobs.options import Options
from dlq.jobs.planning import Facts, plan
from dlq.jobs.ramp import Look
from dlq.jobs.tally import Tally
from dlq.models import JobState

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
few = st.integers(0, 5)
tallies = st.builds(
    Tally,
    waiting=few,
    in_flight=few,
    awaited=few,
    succeeded=few,
    returned=few,
    no_word=few,
    not_published=few,
    uncertain=few,
    withdrawn=few,
)
options = st.builds(
    Options,
    canary=st.integers(0, 3),
    ramp=st.booleans(),
    returns_limit=st.none() | st.floats(0, 1),
    batch_size=st.integers(1, 5_000),
)
facts = st.builds(
    Facts,
    state=st.sampled_from(JobState),
    now=st.just(NOW),
    tally=tallies,
    is_marked=st.booleans(),
    start_at=st.none() | st.sampled_from([NOW - timedelta(hours=1), NOW + timedelta(hours=1)]),
    canary_passed=st.booleans(),
    step=st.integers(0, 12),
    look=st.builds(Look, step_sent=few, step_settled=few, step_returned=few, sent=few, returned=few),
    canary_sent_s=st.none() | st.floats(0, 100),
)


@given(facts, options)
def test_nothing_is_sent_that_somebody_or_something_holds_back(facts: Facts, options: Options) -> None:
    step = plan(facts, options)
    if step.do not in ("send", "canary"):
        return
    assert step.limit >= 1
    assert facts.is_marked, "all letters are marked before the first is sent"
    assert facts.tally.waiting
    assert facts.state not in (JobState.PAUSED, *(JobState.DONE, JobState.CANCELLED, JobState.FAILED))
    if facts.state in (JobState.QUEUED, JobState.SCHEDULED):
        assert facts.start_at is None or facts.start_at <= facts.now
    if options.canary and not facts.canary_passed:
        assert step.do == "canary"
        tried = facts.tally.sent + facts.tally.in_flight + facts.tally.not_published + facts.tally.uncertain
        assert tried + step.limit <= options.canary
    else:
        assert step.limit <= options.batch_size
        if options.limit is not None and facts.look.sent and (facts.step or not options.ramp):
            assert facts.look.returned / facts.look.sent <= options.limit


@given(facts, options)
def test_a_job_ends_only_when_no_letter_waits_or_is_on_its_way(facts: Facts, options: Options) -> None:
    step = plan(facts, options)
    if step.do == "end":
        assert not facts.tally.waiting
        assert not facts.tally.in_flight


@given(facts, options)
def test_a_job_that_is_over_gives_back_what_it_holds_and_does_nothing_else(
    facts: Facts, options: Options
) -> None:
    step = plan(facts, options)
    if facts.state in (JobState.DONE, JobState.CANCELLED, JobState.FAILED):
        assert step.do == ("release" if facts.tally.waiting else "nothing")


def running(**changed: object) -> Facts:
    return Facts(JobState.RUNNING, NOW, **changed)  # type: ignore[arg-type]


def test_a_canary_passes_by_success_or_by_silence_and_fails_by_coming_back() -> None:
    options = Options(canary=1, canary_wait_s=60)
    assert plan(running(tally=Tally(waiting=9)), options).limit == 1
    assert plan(running(tally=Tally(waiting=8, awaited=1), canary_sent_s=5), options).do == "wait"
    assert plan(running(tally=Tally(waiting=8, awaited=1), canary_sent_s=61), options).do == "pass"
    assert plan(running(tally=Tally(waiting=8, succeeded=1), canary_sent_s=1), options).do == "pass"
    failed = plan(running(tally=Tally(waiting=8, returned=1), canary_sent_s=1), options)
    assert failed.do == "pause"
    assert "The canary failed: 1 of 1 came back" in failed.why
    assert "The other 8 were not sent" in failed.why


def test_a_job_of_which_nothing_got_out_has_failed() -> None:
    assert plan(running(tally=Tally(not_published=3)), Options()).state == JobState.FAILED
    assert plan(running(tally=Tally(not_published=3, awaited=1)), Options()).state == JobState.DONE
    assert plan(running(tally=Tally()), Options()).state == JobState.DONE
