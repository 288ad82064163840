import itertools
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from eventhub.traces.scale import scale_of
from tests.traces.building import START, at

moments = st.lists(st.floats(0, 1e7), min_size=1, max_size=40).map(lambda numbers: [at(n) for n in numbers])


@given(moments)
def test_later_moments_never_lie_left_of_earlier_ones_and_all_lie_on_the_axis(some):
    scale = scale_of(some)
    places = [scale.place(moment) for moment in sorted(some)]
    assert all(0 <= place <= 1 for place in places)
    assert all(left <= right + 1e-9 for left, right in itertools.pairwise(places))


@given(moments)
def test_the_stretches_cover_the_axis_without_gaps(some):
    stretches = scale_of(some).stretches
    assert stretches[0].left == 0
    assert abs(stretches[-1].right - 1) < 1e-6
    for before, after in itertools.pairwise(stretches):
        assert before.right == after.left
        assert before.end_s == after.start_s


def test_an_hour_of_silence_before_a_retry_is_folded():
    scale = scale_of([at(0), at(1), at(2), at(3602), at(3603)])
    (fold,) = scale.folds
    assert (fold.start_s, fold.end_s) == (2, 3602)
    assert scale.place(at(2)) > 0.4


def test_two_silences_are_folded_though_each_alone_is_short_beside_the_other():
    assert len(scale_of([at(0), at(2), at(3602), at(3604), at(7204), at(7206)]).folds) == 2


def test_a_slow_hop_of_seconds_is_not_folded():
    assert scale_of([at(0), at(0.1), at(4), at(4.1)]).folds == []


def test_two_moments_alone_are_shown_with_the_time_between_them():
    assert scale_of([at(0), at(7200)]).folds == []


def test_one_moment_has_an_axis():
    assert scale_of([START]).place(START) == 0.5
    assert scale_of([START]).place(START + timedelta(days=1)) == 0.5


def test_ticks_are_round_and_few():
    ticks = scale_of([at(0), at(1.8)]).ticks
    assert [round(tick.seconds, 3) for tick in ticks] == [0, 0.5, 1.0, 1.5]
