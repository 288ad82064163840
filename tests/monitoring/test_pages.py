import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.groups import give_role
from eventhub.access.models import AuditEntry
from eventhub.access.models import Role as AccessRole
from eventhub.brokers.models import Source
from eventhub.schemas.models import EventType
from monitoring.models import LagProbe, LagSample

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def traffic(shop, counted, heartbeat):
    now = timezone.now()
    EventType.objects.create(name="order.placed", first_seen_at=now - timedelta(hours=1), last_seen_at=now)
    heartbeat(shop, now, last_batch_at=now)
    for second in range(-5, 20):  # some to come, whenever the page is asked for
        counted(
            now - timedelta(seconds=second),
            received=10,
            service="checkout",
            origin_id=shop.pk,
            handled=9,
            failed=1,
            processing_s=[0.25],
        )
    LagProbe.objects.create(source=shop, asked_at=now)
    LagSample.objects.create(
        at=now, source=shop, topic="shop.orders", group="eventhub", messages=3, oldest_age_s=1.5
    )
    return shop


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_the_overview_is_right_without_javascript(staff, traffic):
    said = text_of(staff.get("/"))
    for part in ("10/s", "1.5 s", "3 waiting in shop", "10 %", "order.placed", "running", "new event type"):
        assert part in said, part
    assert re.search(r"Processing p95 2[45]\d ms", said)


def test_before_the_first_event_the_overview_is_the_first_steps(staff):
    assert staff.get("/")["Location"] == reverse("first-steps")
    staff.post(reverse("first-steps-put-away"))
    page = staff.get("/")
    assert "No event has arrived yet" in text_of(page)
    assert f'href="{reverse("first-steps")}"' in page.content.decode()


def test_who_is_not_logged_in_is_sent_to_the_login(client):
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    "query", ["", "?range=1h", "?range=6h", "?range=24h", "?range=7d", "?range=nonsense"]
)
def test_every_range_of_the_overview_can_be_shown(staff, traffic, query):
    response = staff.get(f"/{query}")
    assert response.status_code == 200
    assert response.context["chart_total"] >= 160


def test_a_zoomed_range_is_in_the_address_and_stands_still(staff, traffic):
    now = timezone.now().timestamp()
    chart = staff.get(f"/overview/series?from={now - 60:.0f}&to={now:.0f}").json()
    assert (chart["step_s"], chart["live"]) == (1, False)
    assert sum(chart["types"][0]["counts"]) >= 160


def test_what_snapshots_tell_later_is_not_counted_in_the_chart(staff, traffic, counted):
    before = sum(staff.get("/overview/series").json()["types"][0]["counts"])
    counted(timezone.now() + timedelta(seconds=1), received=500)
    assert sum(staff.get("/overview/series").json()["types"][0]["counts"]) <= before + 10


def test_names_from_events_cannot_break_out_of_the_page(staff, traffic, counted):
    evil = "</script><script>alert(1)</script>"
    counted(timezone.now() - timedelta(seconds=3), evil, received=99)
    page = staff.get("/").content.decode()
    assert "<script>alert(1)" not in page
    data = re.search(r'id="chart-data">(.*?)</script>', page, re.S)
    assert evil in [one["name"] for one in json.loads(data[1])["types"]]


def test_the_overview_refreshes_its_side_by_itself(staff, traffic):
    response = staff.get("/?part=details", headers=HTMX)
    assert b"<html" not in response.content
    assert b"hx-swap-oob" in response.content


def test_the_overview_asks_as_much_for_twenty_types_as_for_one(
    staff, traffic, counted, django_assert_max_num_queries
):
    for n in range(20):
        counted(timezone.now() - timedelta(seconds=3), f"t.{n}", received=1)
        Source.objects.create(name=f"s{n}", kind="http")
    staff.get("/")
    with django_assert_max_num_queries(25):
        staff.get("/")


def test_the_sources_page_shows_how_each_stands(visitor, traffic):
    said = text_of(visitor.get("/sources/"))
    for part in ("shop", "Redis Streams", "running", "1.5 s", "3 waiting"):
        assert part in said
    assert "/pause" not in visitor.get("/sources/").content.decode()


def test_without_a_source_the_page_says_how_to_get_one(staff):
    response = staff.get("/sources/")
    assert "No source yet" in text_of(response)
    assert reverse("source-choose") in response.content.decode()


def test_a_source_shows_workers_topics_settings_and_no_password(staff, traffic):
    traffic.config = {"streams": ["shop.orders"], "url": "redis://:secret@redis:6379/0"}
    traffic.save()
    response = staff.get("/sources/shop/")
    said = text_of(response)
    for part in ("ingest@one", "shop.orders", "eventhub"):
        assert part in said, part
    assert "secret" not in response.content.decode()
    assert "redis:6379" in response.content.decode()


def test_a_source_that_fails_says_why_since_when_and_what_to_do(staff, shop, heartbeat):
    now = timezone.now()
    heartbeat(
        shop,
        now,
        "failing",
        restarts=7,
        last_error="BrokerError: Redis cannot be reached: Connection refused.",
        last_error_at=now,
    )
    said = text_of(staff.get("/sources/shop/"))
    for part in (
        "It fails again and again",
        "refused",
        "nothing listens on that port",
        "7 times",
        "ingest@one",
    ):
        assert part in said, part


def test_a_source_shows_its_position_and_its_mapping(staff, traffic):
    traffic.mapping = {"event_type": "body.kind"}
    traffic.save()
    LagSample.objects.update(position="4812-0", end="4815-0")
    said = text_of(staff.get("/sources/shop/"))
    for part in ("4812-0 of 4815-0", "body.kind"):
        assert part in said, part


def test_the_connection_of_a_source_is_tested_from_its_page(staff, visitor, shop):
    address = reverse("source-test", args=["shop"])
    assert visitor.post(address, headers=HTMX).status_code == 403
    staff.force_login(User.objects.get(username="ada"))
    assert "the connection works" in text_of(staff.post(address, headers=HTMX))
    shop.config |= {"url": "redis://127.0.0.1:1/0"}
    shop.save()
    assert "refused" in text_of(staff.post(address, headers=HTMX))


def test_an_unknown_source_is_not_found(staff):
    assert staff.get("/sources/nowhere/").status_code == 404


def test_pausing_and_resuming_is_noted_and_answers_with_the_part_that_changed(staff, traffic):
    response = staff.post("/sources/shop/pause", headers=HTMX)
    assert "paused" in text_of(response)
    assert b"<html" not in response.content
    assert Source.objects.get().paused
    assert "Resume" in text_of(staff.post("/sources/shop/pause?from=list", headers=HTMX))
    staff.post("/sources/shop/resume")
    assert not Source.objects.get().paused
    assert list(AuditEntry.objects.order_by("pk").values_list("actor", "action", "target")) == [
        ("ada", "pause", "source shop"),
        ("ada", "resume", "source shop"),
    ]


def test_who_may_only_watch_is_told_so(visitor, traffic):
    response = visitor.post("/sources/shop/pause", headers=HTMX)
    assert response.status_code == 403
    assert "you need the role “operator”" in response.content.decode()
    assert not Source.objects.get().paused


def test_the_role_of_an_operator_is_enough(visitor, traffic, django_user_model):
    give_role(django_user_model.objects.get(username="vic"), AccessRole.OPERATOR, audit.SYSTEM)
    assert visitor.post("/sources/shop/pause", headers=HTMX).status_code == 200


def test_pausing_by_a_link_is_refused(staff, traffic):
    assert staff.get("/sources/shop/pause").status_code == 405


def test_a_young_hub_begins_its_chart_with_its_first_event(staff, traffic):
    chart = staff.get("/overview/series").json()
    assert chart["most_steps"] >= 180
    assert len(chart["failed"]) == len(chart["types"][0]["counts"]) == 24


def test_a_hub_that_was_silent_for_a_while_shows_the_silence(staff, traffic, counted):
    counted(timezone.now() - timedelta(days=2), received=1, grain=3600)
    chart = staff.get("/overview/series").json()
    assert len(chart["failed"]) == chart["most_steps"]
