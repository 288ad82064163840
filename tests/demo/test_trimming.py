from hypothesis import given
from hypothesis import strategies as st

from eventhub.demo.trimming import CAP, KEEP, entries_to_keep

COUNTS = st.integers(min_value=0, max_value=2_000_000)


def test_without_a_slow_reader_the_usual_length_is_kept():
    assert entries_to_keep(150_000, [0, 12, 900]) == KEEP


def test_what_a_reader_has_not_read_is_kept():
    assert entries_to_keep(300_000, [0, 250_000]) > 250_000


def test_a_reader_that_redis_knows_nothing_of_keeps_everything_up_to_the_cap():
    assert entries_to_keep(300_000, [None]) >= 300_000
    assert entries_to_keep(3_000_000, [None]) == CAP


@given(COUNTS, st.lists(st.none() | COUNTS))
def test_never_less_than_usual_and_never_more_than_the_cap(length, unread):
    assert KEEP <= entries_to_keep(length, unread) <= CAP
