import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq.jobs.ramp import SIZES, Look, decide, is_growing, size_of, too_many_return

counts = st.integers(0, 10_000)


@st.composite
def looks(draw: st.DrawFn) -> Look:
    sent = draw(counts)
    step_sent = draw(st.integers(0, sent))
    step_settled = draw(st.integers(0, step_sent))
    step_returned = draw(st.integers(0, step_settled))
    return Look(
        step_sent,
        step_settled,
        step_returned,
        draw(st.floats(0, 100)),
        sent,
        draw(st.integers(step_returned, step_returned + sent - step_sent)),
    )


def test_steps_grow_as_people_ask_for_and_end_at_the_batch() -> None:
    assert [size_of(step, 1_000) for step in range(10)] == [1, 2, 5, 20, 50, 100, 200, 500, 1_000, 1_000]
    assert [size_of(step, 60) for step in range(7)] == [1, 2, 5, 20, 50, 60, 60]


@given(st.integers(0, 30), st.integers(1, 1_000))
def test_a_step_is_never_smaller_than_the_one_before_nor_larger_than_a_batch(step: int, batch: int) -> None:
    assert 1 <= size_of(step, batch) <= size_of(step + 1, batch) <= batch
    assert is_growing(step, batch) == (step < len(SIZES) and SIZES[step] < batch)


@given(looks(), st.floats(0, 1), st.floats(0, 60))
def test_a_ramp_goes_on_only_below_the_limit_and_when_it_has_waited(
    look: Look, limit: float, wait_s: float
) -> None:
    decision = decide(look, limit, wait_s)
    shares = [
        returned / sent
        for returned, sent in ((look.step_returned, look.step_sent), (look.returned, look.sent))
        if sent
    ]
    if any(share > limit for share in shares):
        assert decision.verdict == "stop"
        assert "came back" in decision.why
    elif look.step_settled < look.step_sent and look.waited_s < wait_s:
        assert decision.verdict == "wait"
    else:
        assert decision.verdict == "go"


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look(step_sent=2, step_returned=1, sent=103, returned=1), "1 of 2 letters of the latest batch"),
        (
            Look(step_sent=100, step_returned=0, sent=200, returned=30),
            "30 of 200 letters of all that was sent",
        ),
    ],
)
def test_it_says_how_many_came_back_of_how_many(look: Look, words: str) -> None:
    assert words in too_many_return(look, 0.1)
