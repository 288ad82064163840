from datetime import UTC, datetime, timedelta

import pytest

from eventhub.traces import retention
from eventhub.traces.flow import hops, learning
from eventhub.traces.models import Grain, Hop
from monitoring.rollups.windows import window_between
from tests.traces.building import START, event, store

pytestmark = pytest.mark.django_db
RANGE = (START - timedelta(minutes=1), START + timedelta(minutes=30))


def pairs(number, took_s, at_s=0.0, cause="order.placed", effect="payment.captured"):
    """So many causes, each with an effect so long after it."""
    return [
        one
        for n in range(number)
        for one in (
            event(f"{effect}-{at_s}-{n}-cause", cause, at_s),
            event(f"{effect}-{at_s}-{n}", effect, at_s + took_s, causation_id=f"{effect}-{at_s}-{n}-cause"),
        )
    ]


def learn(*events):
    store(*events, txid=10)
    learning.learn()


def test_the_slowest_hops_come_first_each_with_its_quantiles():
    learn(*pairs(20, 0.5), *pairs(20, 4.0, effect="shipment.planned"), *pairs(2, 60.0, effect="rare.thing"))
    slowest, next_one = hops.hop_times(*RANGE)
    assert (slowest.from_type, slowest.to_type, slowest.count) == ("order.placed", "shipment.planned", 20)
    assert slowest.p95_s == pytest.approx(4.0, rel=0.02)
    assert next_one.p50_s == pytest.approx(0.5, rel=0.02)
    assert [hop.to_type for hop in hops.hop_times(*RANGE, to_type="payment.captured")] == ["payment.captured"]


def test_a_type_s_hops_are_told_over_time():
    learn(*pairs(10, 0.5), *pairs(10, 2.0, at_s=600.0), *pairs(10, 9.0, at_s=600.0, effect="other.thing"))
    told = hops.hop_series(window_between(*RANGE), to_type="payment.captured")
    p50 = {
        t - int(START.timestamp()): value
        for t, value in zip(told.times, told.quantiles[0], strict=True)
        if value
    }
    assert p50 == {0: pytest.approx(0.5, rel=0.02), 600: pytest.approx(2.0, rel=0.02)}
    assert told.step_s == 60


def test_longer_ranges_are_told_by_the_hour():
    learn(*pairs(10, 0.5))
    told = hops.hop_series(window_between(START - timedelta(days=7), START + timedelta(hours=2)))
    assert told.step_s == 3600
    assert [value for value in told.quantiles[1] if value] == [pytest.approx(0.5, rel=0.02)]


def test_the_last_minutes_are_told_by_the_second_and_leave_after_two_hours():
    now = datetime.now(UTC).replace(microsecond=0)
    ago_s = (now - START).total_seconds()
    learn(*pairs(10, 0.5, at_s=ago_s - 60.0), *pairs(10, 2.0, at_s=ago_s - 57.0, effect="payment.settled"))
    told = hops.hop_series(window_between(now - timedelta(minutes=4), now))
    assert told.step_s == 1
    p50 = {
        t - int(now.timestamp()): value
        for t, value in zip(told.times, told.quantiles[0], strict=True)
        if value
    }
    assert p50 == {-60: pytest.approx(0.5, rel=0.02), -55: pytest.approx(2.0, rel=0.02)}
    retention.thin(now + timedelta(hours=1))
    assert Hop.objects.filter(grain=Grain.SECOND).exists()
    retention.thin(now + timedelta(hours=2, minutes=1))
    assert set(Hop.objects.values_list("grain", flat=True)) == {Grain.MINUTE, Grain.HOUR}


def test_every_grain_of_a_hop_says_the_same():
    now = datetime.now(UTC).replace(microsecond=0)
    learn(*pairs(30, 0.5, at_s=(now - START).total_seconds() - 600.0))
    rows = Hop.objects.exclude(from_type="").values_list("grain", "count", "buckets", "counts")
    assert len({(count, str(buckets), str(counts)) for _, count, buckets, counts in rows}) == 1
    assert {grain for grain, *_ in rows} == {Grain.SECOND, Grain.MINUTE, Grain.HOUR}


def test_what_happened_long_ago_is_learned_by_the_minute():
    learn(*pairs(10, 0.5))
    assert set(Hop.objects.values_list("grain", flat=True)) == {Grain.MINUTE, Grain.HOUR}


def test_hours_of_the_flow_leave_with_the_figures(settings):
    learn(*pairs(10, 0.5))
    settings.ROLLUP_RETENTION_DAYS = 30
    retention.forget(START + timedelta(days=20))
    assert set(Hop.objects.values_list("grain", flat=True)) == {Grain.HOUR}
    retention.forget(START + timedelta(days=31))
    assert not Hop.objects.exists()
