from datetime import UTC, datetime, timedelta

import pytest

from monitoring.rollups import pruning
from monitoring.rollups.models import Grain, Rollup

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def a_year():
    """An hour row of each day of a year, and a minute of today."""
    for day in range(365):
        hour = (NOW - timedelta(days=day)).replace(minute=0)
        Rollup.objects.create(grain=Grain.HOUR, bucket=hour, event_type="order.placed", received=1)
    Rollup.objects.create(grain=Grain.MINUTE, bucket=NOW, event_type="order.placed", received=1)


def test_by_default_figures_are_kept_for_ever(settings, a_year):
    settings.ROLLUP_RETENTION_DAYS = 0
    assert pruning.prune(NOW) == 0
    assert Rollup.objects.count() == 366


def test_hours_older_than_the_retention_leave_and_nothing_else(settings, a_year, monkeypatch):
    settings.ROLLUP_RETENTION_DAYS = 90
    monkeypatch.setattr(pruning, "AT_ONCE", 100)
    assert pruning.prune(NOW) == 274
    assert Rollup.objects.count() == 92
    assert Rollup.objects.earliest("bucket").bucket == NOW.replace(minute=0) - timedelta(days=90)
    assert pruning.prune(NOW) == 0
