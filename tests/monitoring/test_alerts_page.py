from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.alerts.models import Alert, AlertRule, Channel, Silence
from monitoring.lag.groups.forecast import Forecast
from monitoring.lag.groups.reading import in_words
from monitoring.lag.models import WatchedBroker, WatchedGroup
from monitoring.snapshot import take

pytestmark = pytest.mark.django_db


@pytest.fixture
def firing() -> Alert:
    now = timezone.now()
    rule = AlertRule.objects.create(name="late orders", condition="absence", event_type="order.placed")
    return Alert.objects.create(
        rule=rule,
        since=now,
        last_true_at=now,
        fired_at=now,
        evidence="no order.placed came for 5 min",
        href="/traces/",
    )


def test_what_fires_is_shown_with_its_evidence_and_counted_at_the_bell(staff, firing):
    text = staff.get("/alerts/").content.decode()
    assert "late orders" in text
    assert '<a href="/traces/">no order.placed came for 5 min</a>' in text
    assert take().alerts_firing == 1


def test_an_alert_is_silenced_and_the_silence_is_ended(staff, firing):
    assert staff.post(f"/alerts/{firing.pk}/silence", {"for": "8h"}).status_code == 302
    silence = Silence.objects.get()
    assert silence.made_by == "ada"
    assert silence.until > timezone.now() + timedelta(hours=7)
    staff.post(f"/alerts/silences/{silence.pk}/end")
    silence.refresh_from_db()
    assert silence.until <= timezone.now()


def test_who_only_watches_may_not_silence(visitor, firing):
    assert visitor.post(f"/alerts/{firing.pk}/silence").status_code == 403
    assert "Silence</button>" not in visitor.get("/alerts/").content.decode()


def test_a_test_of_a_channel_says_what_went_wrong(staff):
    channel = Channel.objects.create(name="hook", kind="webhook", address="http://127.0.0.1:1/x")
    page = staff.post(f"/alerts/channels/{channel.pk}/test", follow=True).content.decode()
    assert "hook: not sent" in page


def watched(name: str, **fields) -> WatchedGroup:
    now = timezone.now()
    broker, _ = WatchedBroker.objects.get_or_create(kind="kafka", name="k:9092", defaults={"asked_at": now})
    part = {
        "topic": "orders", "partition": 3, "status": fields["status"], "messages": fields.get("messages"),
        "seconds": fields.get("seconds"), "position": "10", "end": "20", "member": "billing-1 /10.0.0.7", "why": "",
    }  # fmt: skip
    return WatchedGroup.objects.create(
        broker=broker, name=name, looked_at=now, since=now, topics=["orders"], parts=[part], **fields
    )


def test_groups_in_trouble_come_first_and_unknown_is_not_zero(staff):
    watched("fine", status="ok", messages=0, seconds=0.0)
    watched("nobody-knows", status="unknown")
    watched("billing", status="stalled", messages=10, seconds=70.0)
    text = staff.get("/lag/").content.decode()
    assert text.index("billing") < text.index("nobody-knows") < text.index(">fine<")
    assert "1 min 10 s" in text
    assert text.count(">unknown<") >= 2
    assert "billing" not in staff.get("/lag/?q=fine").content.decode().split("<tbody>")[1]


def test_a_group_shows_its_partitions_and_who_reads_them(staff):
    group = watched("billing", status="stalled", messages=10, seconds=70.0)
    text = staff.get(f"/lag/{group.pk}/").content.decode()
    assert "billing-1 /10.0.0.7" in text
    assert "orders" in text


def test_the_outlook_is_said_in_words():
    now = timezone.now().replace(hour=14, minute=0)
    assert in_words(Forecast("drains", -1.0, 720.0), now) == "drained in 12 min"
    assert in_words(Forecast("fills", 40.0, 1_200.0), now).endswith("full by 14:20 UTC")
    assert in_words(Forecast("unknown"), now) == ""
