"""What lies on the disk, when it is full, and what retention would do: measured on real tables."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from eventhub.access.models import AuditEntry, Role
from monitoring.alerts.conditions import findings
from monitoring.alerts.models import AlertRule, Condition
from monitoring.rollups.models import Grain, Rollup
from monitoring.storage import growing, keeping, sizes
from monitoring.storage.forecast import forecast, in_days
from tests.access.people import person
from tests.handlers.conftest import Hub, placed

NOW = datetime.now(UTC)
GB = 10**9


# -- the forecast, which is arithmetic -------------------------------------------------------------


def test_with_a_steady_growth_the_free_bytes_last_as_long_as_they_are_divided():
    told = forecast([2 * GB] * 7, 46 * GB)
    assert (told.per_day_bytes, told.trend_bytes, told.full_in_days) == (2 * GB, 0.0, 23.0)
    assert in_days(told) == "full in 23 days"


def test_a_growth_that_grows_fills_the_disk_earlier():
    told = forecast([GB, 2 * GB, 3 * GB, 4 * GB], 100 * GB)
    assert told.trend_bytes == pytest.approx(GB)
    assert told.full_in_days < 100 / 2.5
    # Day after day: 5 + 6 + 7 + … reach 100 in the eleventh day.
    assert 9.5 < told.full_in_days < 11.5


def test_a_quiet_week_end_does_not_make_the_disk_last_for_ever():
    told = forecast([10.0, 10.0, 10.0, 10.0, 1.0, 1.0], 1_000)
    assert told.trend_bytes == 0
    assert told.full_in_days == pytest.approx(1_000 / 7)


@pytest.mark.parametrize(
    ("added", "free", "words"),
    [
        ([], 5.0, "not full within ten years"),
        ([1.0], None, "not full within ten years"),
        ([0.0], 5.0, "not full within ten years"),
        ([5.0], 0, "full"),
        ([5.0], 2.0, "full within a day"),
        ([5.0], 5.0, "full in a day"),
    ],
)
def test_what_is_said_at_the_edges(added, free, words):
    assert in_days(forecast(added, free)) == words


@given(st.lists(st.floats(0, 1e13), max_size=14), st.floats(0, 1e15), st.floats(0, 1e15))
def test_more_room_never_lasts_shorter_and_no_answer_is_negative(added, free, more):
    little, much = forecast(added, free), forecast(added, free + more)
    assert little.per_day_bytes >= 0
    if much.full_in_days is not None:
        assert little.full_in_days is not None
        assert 0 <= little.full_in_days <= much.full_in_days * (1 + 1e-9)


# -- measured --------------------------------------------------------------------------------------

pytestmark_db = pytest.mark.django_db(transaction=True)


@pytest.fixture
def full_days(transactional_db):
    """Three whole days of a thousand events each, in the rollups, and some of them in the store."""
    hub = Hub()
    hub.take(*(placed(n) for n in range(300)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT pg_stat_force_next_flush()")
    for ago in (3, 2, 1):
        Rollup.objects.create(
            grain=Grain.HOUR, bucket=NOW.replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=ago),
            origin_id=hub.source.pk, broker="redis", event_type="order.placed", received=1_000, size_bytes=300_000,
        )  # fmt: skip
    growing.forget()
    yield hub
    growing.forget()


@pytestmark_db
def test_sizes_are_those_that_postgresql_tells(full_days):
    found = {table.name: table for table in sizes.tables()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('dlq_deadletter')")
        assert found["dlq_deadletter"].size_bytes == cursor.fetchone()[0]
        cursor.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'events_event'::regclass"
        )
        days = cursor.fetchone()[0]
    assert found["events_event"].size_bytes == days == sum(one.size_bytes for one in sizes.partitions())
    assert sizes.database_bytes() > days


@pytestmark_db
def test_growth_is_told_by_source_and_type_in_bytes_on_disk(full_days, settings):
    settings.DATABASE_DISK_GB = 100
    told = growing.standing(NOW)
    (grower,) = [one for one in told.growers if one.events > 100]
    assert (grower.source, grower.event_type) == ("shop", "order.placed")
    assert len(told.added) == 3
    # An event is larger on disk than its payload: its indexes, and what comes of it.
    assert grower.disk_bytes > grower.payload_bytes
    assert told.forecast.per_day_bytes == pytest.approx(sum(told.added) / 3)
    assert told.forecast.full_in_days is None or told.forecast.full_in_days > 0


@pytestmark_db
def test_a_dry_run_says_what_would_be_dropped_and_only_apply_drops_it(full_days):
    full_days.take(placed(1_000) | {"timestamp": (NOW - timedelta(days=30)).isoformat()})
    keep = 20
    dry = StringIO()
    call_command("storage", "--days", str(keep), stdout=dry)
    assert "Would drop events_event_" in dry.getvalue()
    assert "Nothing was done" in dry.getvalue()
    before = sizes.partitions()
    planned = keeping.plan(before, keep, NOW)
    assert planned.freed_bytes > 0

    as_json = StringIO()
    call_command("storage", "--days", str(keep), "--json", stdout=as_json)
    assert json.loads(as_json.getvalue())["freed_bytes"] == planned.freed_bytes

    call_command("storage", "--days", str(keep), "--apply", stdout=StringIO())
    gone = {one.name for one in before} - {one.name for one in sizes.partitions()}
    assert gone == {one.name for one in planned.dropped}
    assert AuditEntry.objects.get(action="drop").detail["partitions"] == sorted(gone)


@pytestmark_db
def test_nothing_is_dropped_where_retention_is_off(full_days):
    told = StringIO()
    call_command("storage", "--apply", stdout=told)
    assert "Everything is kept" in told.getvalue()
    assert not keeping.plan(sizes.partitions(), 0, NOW).dropped


@pytestmark_db
def test_what_fewer_days_would_save_says_whether_they_fit(full_days, settings):
    settings.DATABASE_DISK_GB = 1
    standing = growing.standing(NOW)
    choices = {one.days: one for one in keeping.choices(standing, 45, NOW)}
    assert set(choices) == {7, 30, 45, 90, 180, 365}
    assert choices[45].is_set
    assert choices[7].settles_at_bytes == pytest.approx(7 * standing.forecast.per_day_bytes)
    assert choices[7].fits
    tight = keeping.choices(
        standing.__class__(
            **{name: getattr(standing, name) for name in standing.__struct_fields__ if name != "room"},
            room=sizes.Room(10, 0),
        ),
        0,
        NOW,
    )
    assert tight[-1].fits is (
        tight[-1].settles_at_bytes <= sum(one.size_bytes for one in standing.partitions)
    )


@pytestmark_db
def test_the_alert_fires_while_the_disk_is_full_soon_and_not_otherwise(full_days, settings):
    rule = AlertRule.objects.create(name="disk", condition=Condition.DISK, below=20)
    settings.DATABASE_DISK_GB = 1_000_000
    growing.forget()
    assert findings(rule, NOW) == []
    settings.DATABASE_DISK_GB = 0
    growing.forget()
    added = growing.standing(NOW).forecast.per_day_bytes
    settings.DATABASE_DISK_GB = (sizes.database_bytes() + 10 * added) / GB  # ten days
    growing.forget()
    (found,) = findings(rule, NOW)
    assert 5 < found.value < 15
    assert "full in" in found.evidence
    assert found.href == "/storage/"
    assert growing.lately(NOW + timedelta(seconds=30)) is growing.lately(NOW + timedelta(seconds=31))


@pytestmark_db
def test_the_page_shows_the_forecast_and_a_dry_run_and_never_drops(full_days, settings):
    settings.DATABASE_DISK_GB = 100
    client = Client()
    client.force_login(person(Role.VIEWER))
    before = len(sizes.partitions())
    page = client.get("/storage/?days=1").content.decode()
    assert "full in" in page or "not full within" in page
    assert "order.placed" in page or "order</b>" in page
    assert "Keeping 1 days" in page
    for odd in ("-1", "x", "9" * 40, "١"):
        assert client.get("/storage/", {"days": odd}).status_code == 200
    assert len(sizes.partitions()) == before
    settings.DATABASE_DISK_GB = 0
    assert client.get("/storage/").status_code == 200
