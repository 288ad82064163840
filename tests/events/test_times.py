from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.times import read_time

TEN = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
SECOND = TEN.replace(microsecond=0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1795514400, SECOND),
        (1795514400.25, TEN),
        (1795514400250, TEN),
        (1795514400250000, TEN),
        (1795514400250000123, TEN),
        ("1795514400", SECOND),
        ("1795514400.250", TEN),
        (" 1795514400250 ", TEN),
        ("2026-11-24T10:00:00.250Z", TEN),
        ("2026-11-24t10:00:00.250z", TEN),
        ("2026-11-24 10:00:00.25", TEN),
        ("2026-11-24T11:00:00.250+01:00", TEN),
        ("2026-11-24T11:00:00.250+0100", TEN),
        ("2026-11-24 11:00:00.250000999 +0100", TEN),
        ("2026-11-24 10:00:00.250 UTC", TEN),
        ("2026-11-24", SECOND.replace(hour=0)),
        ("20261124", SECOND.replace(hour=0)),
        ("20261124T100000Z", SECOND),
        ("20261124100000", SECOND),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_are_read_however_they_are_written(value, expected):
    assert read_time(value) == expected


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", "12:00", [], {}, 10**30, float("nan"), float("inf"), "9" * 30]
)
def test_what_tells_no_time_is_none(value):
    assert read_time(value) is None


@given(
    st.datetimes(min_value=datetime(1974, 1, 1), max_value=datetime(2200, 1, 1)),
    st.sampled_from([1, 10**3, 10**6]),
)
def test_a_count_is_read_in_the_unit_that_its_size_tells(moment, per_second):
    moment = moment.replace(tzinfo=UTC)
    microseconds = (
        int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**6 + moment.microsecond
    )
    count = microseconds * per_second // 10**6
    found = read_time(count)
    assert found is not None
    assert abs((found - moment).total_seconds()) <= 1 / per_second


@given(st.text() | st.integers() | st.floats() | st.binary())
def test_nothing_makes_reading_a_time_fail(value):
    found = read_time(value)
    assert found is None or found.tzinfo is UTC
