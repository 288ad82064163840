from datetime import timedelta

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


def test_hours_of_the_flow_leave_with_the_figures(settings):
    learn(*pairs(10, 0.5))
    settings.ROLLUP_RETENTION_DAYS = 30
    retention.forget(START + timedelta(days=20))
    assert set(Hop.objects.values_list("grain", flat=True)) == {Grain.HOUR}
    retention.forget(START + timedelta(days=31))
    assert not Hop.objects.exists()
