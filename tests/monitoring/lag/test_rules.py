from hypothesis import given
from hypothesis import strategies as st

from monitoring.lag.groups.rules import WINDOW, Commit, Depth, Status, judge, judge_queue, note, worst


def window(*commits: tuple[int, int], every_s: float = 5.0) -> list[Commit]:
    """Commits of (offset, lag), the last one at 1,000 s."""
    first = 1_000.0 - every_s * (len(commits) - 1)
    return [Commit(offset, first + n * every_s, lag) for n, (offset, lag) in enumerate(commits)]


def moving(lags: list[int]) -> list[Commit]:
    return window(*((100 + 10 * n, lag) for n, lag in enumerate(lags)))


def test_who_has_nothing_left_to_read_is_ok_whatever_the_window_says():
    assert judge(window((50, 10), (40, 20)), 0, 2_000) is Status.OK


def test_who_had_nothing_left_a_moment_ago_is_ok():
    assert judge(moving([9, 8, 0, 4, 5, 6, 7, 8, 9, 10]), 11, 1_001) is Status.OK


def test_who_went_back_has_rewound_and_that_is_told_before_the_window_is_full():
    assert judge(window((50, 10), (20, 40)), 40, 1_001) is Status.REWOUND


def test_who_commits_no_more_has_stopped():
    commits = moving([50, 49, 48, 47, 46, 45, 44, 43, 42, 41])  # over 45 s
    assert judge(commits, 90, 1_044) is Status.OK
    assert judge(commits, 90, 1_046) is Status.STOPPED


def test_who_commits_the_same_offset_again_and_again_is_stalled():
    assert judge(window(*((100, 5 + n) for n in range(10))), 15, 1_001) is Status.STALLED


def test_whose_lag_never_fell_is_falling_behind():
    assert judge(moving([5, 5, 6, 7, 7, 8, 9, 9, 9, 10]), 10, 1_001) is Status.WARNING


def test_whose_lag_fell_once_is_ok():
    assert judge(moving([5, 5, 6, 7, 6, 8, 9, 9, 9, 10]), 10, 1_001) is Status.OK


def test_nothing_is_judged_by_a_window_that_is_not_full():
    assert judge(moving([5, 6, 7]), 8, 1_001) is Status.WATCHING
    assert judge([], 8, 1_001) is Status.WATCHING


def test_who_was_never_seen_to_move_has_stopped_after_a_minute():
    assert judge([Commit(5, 1_000.0, 8)], 8, 1_059) is Status.WATCHING
    assert judge([Commit(5, 1_000.0, 8)], 8, 1_061) is Status.STOPPED


def test_unknown_is_not_zero():
    assert judge([], None, 1_000) is Status.UNKNOWN
    assert judge([], 0, 1_000) is Status.OK


def test_a_member_that_stays_commits_again_and_an_abandoned_partition_grows_old():
    commits = [Commit(7, 10.0, 3)]
    assert len(note(commits, Commit(7, 15.0, 3), is_alive=True)) == 2
    assert note(commits, Commit(7, 15.0, 3), is_alive=False) == commits
    assert len(note(commits, Commit(8, 15.0, 3), is_alive=False)) == 2


def test_a_group_is_as_bad_as_its_worst_partition():
    assert worst([Status.OK, Status.STALLED, Status.WARNING]) is Status.STALLED
    assert worst([]) is Status.UNKNOWN


def test_a_queue_that_nobody_reads_has_stopped_and_one_that_stands_still_is_stalled():
    depths = [Depth(5 + n, float(n), False) for n in range(WINDOW)]
    assert judge_queue(depths, 14) is Status.STOPPED
    assert judge_queue([Depth(5, float(n), True) for n in range(WINDOW)], 5) is Status.STALLED
    assert judge_queue([Depth(5 + n, float(n), True) for n in range(WINDOW)], 14) is Status.WARNING
    assert judge_queue([Depth(50 - n, float(n), True) for n in range(WINDOW)], 41) is Status.OK
    assert judge_queue(depths, 0) is Status.OK
    assert judge_queue(depths, None) is Status.UNKNOWN


commits = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500)), min_size=WINDOW, max_size=WINDOW)


@given(commits, st.integers(1, 1_000), st.floats(0, 500))
def test_a_full_window_is_always_judged(told, lag, later_s):
    status = judge(window(*told), lag, 1_000 + later_s)
    assert status not in (Status.UNKNOWN, Status.WATCHING)
    offsets = [offset for offset, _ in told]
    assert (status is Status.REWOUND) == (offsets != sorted(offsets))


@given(commits, st.integers(1, 1_000), st.floats(0, 500), st.floats(1, 500))
def test_what_has_stopped_stays_so_until_it_commits(told, lag, later_s, longer_s):
    commits = window(
        *((offset, lag) for offset, (_, lag) in zip(sorted(o for o, _ in told), told, strict=True))
    )
    if judge(commits, lag, 1_000 + later_s) is Status.STOPPED:
        assert judge(commits, lag, 1_000 + later_s + longer_s) is Status.STOPPED


@given(commits, st.integers(1, 1_000), st.floats(0, 500), st.floats(-1e6, 1e6))
def test_the_hour_of_the_day_does_not_matter(told, lag, later_s, shift_s):
    shift_s = float(round(shift_s))
    moved = [Commit(c.offset, c.at_s + shift_s, c.lag) for c in window(*told)]
    later_s = float(round(later_s))
    assert judge(window(*told), lag, 1_000 + later_s) is judge(moved, lag, 1_000 + later_s + shift_s)
