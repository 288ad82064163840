from datetime import timedelta

import pytest

from monitoring.rollups import reading
from monitoring.rollups.windows import Window, ceil_to, floor_to, window_between
from tests.monitoring.conftest import NOON

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def test_a_sum_is_the_same_over_seconds_and_over_the_minute_they_became(counted):
    counted(NOON, received=3)
    counted(NOON + timedelta(seconds=5), received=4)
    counted(NOON + MINUTE, grain=60, received=7)
    assert reading.totals(NOON, NOON + MINUTE).received == 7
    assert reading.totals(NOON + MINUTE, NOON + 2 * MINUTE).received == 7


def test_receipts_are_not_counted_as_events_but_what_they_report_is(counted):
    counted(NOON, received=5)
    counted(NOON, "eventhub.delivery.succeeded", received=5)
    counted(NOON, handled=4, failed=1)
    totals = reading.totals(NOON, NOON + MINUTE)
    assert (totals.received, totals.handled, totals.failed, totals.error_ratio) == (5, 4, 1, 0.2)


def test_a_source_counts_everything_it_delivered(counted, shop):
    counted(NOON, received=5, origin_id=shop.pk)
    counted(NOON, "eventhub.delivery.succeeded", received=5, origin_id=shop.pk)
    (one,) = reading.totals_by("origin_id", NOON, NOON + MINUTE)
    assert (one.key, one.totals.received) == (str(shop.pk), 10)


def test_without_deliveries_there_is_no_error_ratio():
    assert reading.totals(NOON, NOON + MINUTE).error_ratio is None


def test_percentiles_come_from_the_merged_histograms_of_a_type(counted):
    counted(NOON, processing_s=[0.1] * 90)
    counted(NOON + timedelta(seconds=1), processing_s=[2.0] * 10)
    counted(NOON, "payment.authorized", processing_s=[9.0])
    by_type = {one.key: one for one in reading.totals_by("event_type", NOON, NOON + MINUTE)}
    assert by_type["order.placed"].p50_s == pytest.approx(0.1, rel=0.02)
    assert by_type["order.placed"].p95_s == pytest.approx(2.0, rel=0.02)
    assert by_type["payment.authorized"].p50_s == pytest.approx(9.0, rel=0.02)


def test_a_series_puts_every_event_in_its_step_and_fills_the_rest_with_zero(counted):
    counted(NOON + timedelta(seconds=1), received=2)
    counted(NOON + timedelta(seconds=11), received=3, failed=1, dead_letters=2)
    counted(NOON + timedelta(seconds=12), "payment.authorized", received=1)
    series = reading.series(Window(NOON, NOON + timedelta(seconds=20), 10))
    assert [(one.name, one.counts) for one in series.types] == [
        ("order.placed", [2, 3]),
        ("payment.authorized", [0, 1]),
    ]
    assert series.failed == [0, 1]
    assert series.dead_letters == [0, 2]


def test_the_less_busy_types_of_a_series_are_summed(counted):
    for busy, name in enumerate(["a", "b", "c", "d"], start=1):
        counted(NOON, name, received=busy)
    series = reading.series(Window(NOON, NOON + MINUTE, 60), most_types=2)
    assert [(one.name, one.counts) for one in series.types] == [("d", [4]), ("c", [3]), ("other", [3])]


def test_a_series_can_leave_out_what_is_newer_than_a_moment(counted):
    counted(NOON, received=1)
    counted(NOON + timedelta(seconds=30), received=1)
    series = reading.series(Window(NOON, NOON + MINUTE, 60), until=NOON + timedelta(seconds=30))
    assert series.types[0].counts == [1]


def test_a_percentile_series_has_gaps_where_nothing_was_measured(counted):
    counted(NOON + timedelta(seconds=11), processing_s=[0.5])
    values = reading.percentile_series(Window(NOON, NOON + timedelta(seconds=30), 10), 0.95)
    assert values == [None, pytest.approx(0.5, rel=0.02), None]


def test_yesterday_is_compared_over_the_buckets_that_are_left_of_it(counted):
    yesterday = NOON - timedelta(days=1)
    counted(yesterday, grain=3600, received=7200, handled=99, failed=1, processing_s=[0.2] * 100)
    then = reading.compare(NOON + timedelta(minutes=10), NOON + timedelta(minutes=15))
    assert then.per_s == 2.0
    assert then.error_ratio == 0.01
    assert then.processing_p95_s == pytest.approx(0.2, rel=0.02)


def test_a_day_without_records_compares_with_nothing():
    assert reading.compare(NOON, NOON + MINUTE) == reading.Comparison()


def test_dead_letters_are_told_by_hour_with_the_last_hour_last(counted):
    counted(NOON - timedelta(minutes=5), dead_letters=3)
    counted(NOON - timedelta(hours=23, minutes=30), dead_letters=2)
    by_hour = reading.dead_letters_by_hour(NOON)
    assert (len(by_hour), by_hour[0], by_hour[-1], sum(by_hour)) == (24, 2, 3, 5)


@pytest.mark.parametrize(
    ("seconds", "step_s"), [(900, 5), (3600, 15), (6 * 3600, 120), (24 * 3600, 600), (7 * 86400, 3600)]
)
def test_a_window_has_a_readable_number_of_steps(seconds, step_s):
    window = window_between(NOON - timedelta(seconds=seconds), NOON)
    assert window.step_s == step_s
    assert len(window.times) <= 261


def test_a_window_is_never_finer_than_what_is_left_of_its_time():
    window = window_between(NOON, NOON + timedelta(minutes=10), least_step_s=60)
    assert (window.step_s, len(window.times)) == (60, 10)


def test_rounding_to_a_step_keeps_what_is_round():
    assert floor_to(NOON, 60) == ceil_to(NOON, 60) == NOON
    assert ceil_to(NOON + timedelta(seconds=1), 60) == NOON + MINUTE
