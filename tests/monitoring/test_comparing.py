from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from dlq import intake
from dlq.models import DeadLetter
from dlq.preparing import prepared
from monitoring.lag.models import GroupMinute, WatchedBroker, WatchedGroup
from tests.dlq.letters import broken

pytestmark = pytest.mark.django_db


@pytest.fixture
def an_hour_of_yesterday(counted, shop):
    """Ten events a second around this time of yesterday, and one now."""
    at = timezone.now().replace(second=0, microsecond=0) - timedelta(days=1, minutes=10)
    for minute in range(-20, 20):
        counted(at + timedelta(minutes=minute), received=600, grain=60, origin_id=shop.pk, broker="redis")
    counted(timezone.now() - timedelta(seconds=30), received=1, origin_id=shop.pk, broker="redis")


def test_the_overview_lays_yesterday_beside_now_and_further_on(staff, an_hour_of_yesterday):
    chart = staff.get("/overview/series?compare=day&range=15m").json()
    assert len(chart["before"]) > len(chart["failed"])
    assert max(value or 0 for value in chart["before"]) == pytest.approx(10)
    assert staff.get("/overview/series?range=15m").json()["before"] is None
    assert max(value or 0 for value in staff.get("/overview/series?compare=week").json()["before"]) == 0


@pytest.mark.parametrize("range_", ["5m", "15m", "1h", "24h", "7d", "90d"])
@pytest.mark.parametrize("page", ["/", "/figures/", "/sources/shop/", "/lag/{group}/"])
def test_every_live_page_looks_from_five_minutes_to_ninety_days_and_compares(
    staff, an_hour_of_yesterday, page, range_
):
    now = timezone.now()
    broker = WatchedBroker.objects.create(kind="redis", name="r", asked_at=now)
    group = WatchedGroup.objects.create(broker=broker, name="g", looked_at=now, since=now, status="ok")
    staff.post(reverse("first-steps-put-away"))
    for compare in ("", "day", "week"):
        answer = staff.get(page.format(group=group.pk), {"range": range_, "compare": compare})
        assert answer.status_code == 200
        text = answer.content.decode()
        assert 'aria-label="Compare"' in text or page == "/"  # which is drawn when something arrived
        assert "data-letters=" in text or page == "/"


def test_a_group_s_history_is_compared_whatever_is_left_of_it(staff):
    now = timezone.now().replace(second=0, microsecond=0)
    broker = WatchedBroker.objects.create(kind="redis", name="r", asked_at=now)
    group = WatchedGroup.objects.create(broker=broker, name="g", looked_at=now, since=now, status="ok")
    long_ago = (now - timedelta(days=9)).replace(minute=0)
    GroupMinute.objects.create(
        group=group, minute=now - timedelta(days=7, minutes=5), status="ok", messages=7
    )
    GroupMinute.objects.create(group=group, minute=long_ago, status="ok", messages=9)
    answer = staff.get(f"/lag/{group.pk}/", {"compare": "week"})
    assert "7" in answer.context["chart_json"].split('"before":')[1]
    # An hour of two days ago, beside which only an hour as a whole is left.
    begins = (now - timedelta(days=2)).replace(minute=0)
    asked = {"compare": "week", "from": int(begins.timestamp()), "to": int(begins.timestamp()) + 3600}
    before = staff.get(f"/lag/{group.pk}/", asked).context["chart_json"].split('"before":')[1]
    assert set(before.strip("}[]").split(",")) == {"9"}


def test_a_moment_leads_to_the_dead_letters_of_that_minute(staff, shop):
    intake.record(shop, [prepared(shop, broken(n, message=f"timeout {n}")) for n in range(3)])
    # The group is known by when it came, its letters by when they failed.
    start = shop.dead_letter_groups.get().first_seen_at.replace(second=0, microsecond=0) - timedelta(
        minutes=1
    )
    for n in range(3):
        at = start + timedelta(minutes=n)
        DeadLetter.objects.filter(error_message=f"timeout {n}").update(last_failed_at=at, status="resolved")
    asked = {
        "status": "all",
        "group": "all",
        "from": int(start.timestamp()) + 60,
        "to": int(start.timestamp()) + 120,
    }
    text = staff.get("/dead-letters/", asked).content.decode()
    assert "timeout 1" in text
    assert "timeout 0" not in text
    assert "timeout 2" not in text
    assert f"{start + timedelta(minutes=1):%d %b %H:%M:%S} UTC" in text
