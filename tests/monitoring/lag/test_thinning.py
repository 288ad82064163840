from datetime import UTC, datetime, timedelta

import pytest

from monitoring.lag import thinning
from monitoring.lag.groups import reading
from monitoring.lag.models import GroupMinute, WatchedBroker, WatchedGroup

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def group() -> WatchedGroup:
    broker = WatchedBroker.objects.create(kind="kafka", name="kafka:9092", asked_at=NOW)
    return WatchedGroup.objects.create(broker=broker, name="billing", looked_at=NOW, since=NOW, status="ok")


def minutes(group, start, waited):
    GroupMinute.objects.bulk_create(
        GroupMinute(group=group, minute=start + timedelta(minutes=n), status="ok", messages=m, seconds=s)
        for n, (m, s) in enumerate(waited)
    )


def test_old_minutes_become_hours_that_tell_the_most_that_waited(group):
    start = (NOW - timedelta(days=20)).replace(minute=0)
    minutes(group, start, [(n, None if n % 2 else n / 10) for n in range(120)])
    minutes(group, NOW - timedelta(hours=1), [(5, 1.0)] * 60)
    for _ in range(2):
        thinning.thin(NOW)
    assert list(
        GroupMinute.objects.filter(minute__lt=NOW - timedelta(days=8)).values_list("messages", "seconds")
    ) == [
        (59, 5.8),
        (119, 11.8),
    ]
    assert GroupMinute.objects.count() == 62
    told, _ = reading.history(group, start, start + timedelta(hours=3), 3600)
    assert told == [59, 119, None]


def test_hours_that_nobody_looks_back_to_leave(group):
    minutes(group, (NOW - timedelta(days=100)).replace(minute=0), [(1, 1.0)])
    minutes(group, (NOW - timedelta(days=90)).replace(minute=0), [(2, 1.0)])
    thinning.thin(NOW)
    assert list(GroupMinute.objects.values_list("messages", flat=True)) == [2]
