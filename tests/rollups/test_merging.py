from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from monitoring.rollups import merging, writing
from monitoring.rollups.models import Grain, Rollup

pytestmark = pytest.mark.django_db


def add(age, *, event_type="order.placed", origin_id=1, received=1, arrival=(), processing=()):
    tallies = writing.Tallies()
    tally = tallies[event_type, "order"]
    tally.received = received
    tally.arrival.update(arrival)
    tally.processing.update(processing)
    writing.add(tallies, origin_id=origin_id, broker="kafka" if origin_id else "", at=timezone.now() - age)


def test_seconds_become_minutes_and_minutes_become_hours_with_all_counts_and_histograms():
    day = timedelta(days=20)
    for n in range(5):
        add(day, received=n, arrival=[3, 3, n], processing=[7])
    merging.merge()
    merging.merge()
    row = Rollup.objects.get()
    assert row.grain == Grain.HOUR
    assert row.received == 10
    assert dict(zip(row.arrival_buckets, row.arrival_counts, strict=True)) == {0: 1, 1: 1, 2: 1, 3: 11, 4: 1}
    assert (row.processing_buckets, row.processing_counts) == ([7], [5])


def test_merging_changes_no_total_and_keeps_types_and_sources_apart():
    for age in (timedelta(minutes=1), timedelta(hours=3), timedelta(days=9)):
        for event_type in ("a", "b"):
            for origin_id in (1, 2, None):
                add(age, event_type=event_type, origin_id=origin_id)
                add(age, event_type=event_type, origin_id=origin_id)
    before = list(
        Rollup.objects.values("event_type", "origin_id").annotate(n=Sum("received")).order_by("event_type")
    )
    for _ in range(3):
        merging.merge()
    after = list(
        Rollup.objects.values("event_type", "origin_id").annotate(n=Sum("received")).order_by("event_type")
    )
    assert sorted(map(str, before)) == sorted(map(str, after))
    assert Rollup.objects.count() == 18


def test_young_seconds_stay_seconds():
    add(timedelta(minutes=30))
    add(timedelta(seconds=0))
    merging.merge()
    assert list(Rollup.objects.values_list("grain", flat=True)) == [Grain.SECOND, Grain.SECOND]


def test_a_row_keeps_its_broker_through_every_merge():
    for age in (timedelta(days=20), timedelta(hours=3)):
        add(age)
        add(age, origin_id=None)
    for _ in range(3):
        merging.merge()
    assert sorted(Rollup.objects.values_list("broker", "origin_id")) == [
        ("", None),
        ("", None),
        ("kafka", 1),
        ("kafka", 1),
    ]
