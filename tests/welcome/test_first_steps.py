"""The guide: connect a broker, send a test event, see its trace; and then it is gone."""

import re

import pytest
from django.urls import reverse

from eventhub.access.models import AuditEntry, Role
from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.events.queries import events_by_correlation
from eventhub.pages.models import FirstSteps
from tests.access.people import browser, person

pytestmark = pytest.mark.django_db
GUIDE = reverse("first-steps")


@pytest.fixture
def editor():
    return browser(person(Role.EDITOR))


def said(page) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def noted() -> FirstSteps:
    return FirstSteps.objects.get(person__username="the-editor")


def test_an_empty_hub_begins_with_it_and_every_page_leads_to_it(editor):
    assert editor.get("/")["Location"] == GUIDE
    page = editor.get(GUIDE)
    for part in ("Kafka", "RabbitMQ", "Amazon SQS", "Tap its stream", "Send it"):
        assert part in said(page), part
    rail = re.search(r'<nav class="rail".*?</nav>', editor.get("/traces/").content.decode(), re.S)
    assert rail
    assert f'href="{GUIDE}"' in rail[0]


def test_the_stream_of_the_hub_s_own_redis_is_tapped_by_one_click_once(editor):
    for _ in range(2):
        assert editor.post(reverse("first-steps-connect"))["Location"] == GUIDE
    source = Source.objects.get(kind=Kind.REDIS)
    assert source.config["streams"] == ["hello"]
    assert AuditEntry.objects.filter(action="create", target="source hello").count() == 1
    assert "hello is tapped" in said(editor.get(GUIDE))


def test_the_test_event_travels_through_the_tapped_stream(editor):
    editor.post(reverse("first-steps-connect"))
    editor.post(reverse("first-steps-send"))
    adapter = open_adapter(Source.objects.get(name="hello"))
    try:
        bodies = [message.body.decode() for message in adapter.poll(10, 1.0)]
    finally:
        adapter.close()
    mine = [body for body in bodies if noted().correlation_id in body]
    assert len(mine) == 2
    page = editor.get(GUIDE)
    assert "on its way" in said(page)
    assert 'hx-trigger="every 1s"' in page.content.decode()


def test_without_a_broker_it_goes_over_http_and_its_trace_is_there_at_once(editor):
    editor.post(reverse("first-steps-send"))
    first, second = events_by_correlation(noted().correlation_id, 10)
    assert (first.event_type, second.event_type) == ("hello.said", "hello.answered")
    assert second.causation_id == first.event_id
    page = editor.get(GUIDE)
    assert "Open the trace" in said(page)
    assert "every 1s" not in page.content.decode()
    trace = editor.post(reverse("first-steps-see"), follow=True)
    assert trace.status_code == 200
    assert noted().correlation_id in said(trace)
    assert noted().put_away_at is None  # no broker is connected yet


def test_a_topic_of_somebody_else_is_never_written_to(editor):
    Source.objects.create(
        name="orders", kind=Kind.KAFKA, config={"bootstrap_servers": "127.0.0.1:1", "topics": ["orders"]}
    )
    editor.post(reverse("first-steps-send"))
    assert len(events_by_correlation(noted().correlation_id, 10)) == 2


def test_it_is_gone_when_it_is_done_and_the_help_menu_has_it(editor):
    Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["shop"]})
    editor.post(reverse("first-steps-send"))
    editor.post(reverse("first-steps-see"))
    page = editor.get("/traces/").content.decode()
    rail = re.search(r'<nav class="rail".*?</nav>', page, re.S)
    help_menu = re.search(r'<details class="menu topbar-help".*?</details>', page, re.S)
    assert rail
    assert help_menu
    assert GUIDE not in rail[0]
    assert GUIDE in help_menu[0]
    assert editor.get(GUIDE).status_code == 200


def test_put_away_it_stays_away_after_the_next_login_too(editor):
    editor.post(reverse("first-steps-put-away"))
    again = browser(noted().person)
    assert again.get("/").status_code == 200
    assert "Put away" not in said(again.get(GUIDE))


def test_a_broker_that_is_down_is_told_and_nothing_is_noted(editor, settings):
    editor.post(reverse("first-steps-connect"))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    editor.post(reverse("first-steps-send"))
    assert "could not be published" in said(editor.get(GUIDE))
    assert not FirstSteps.objects.exclude(correlation_id="").exists()


def test_a_paused_http_source_is_told(editor):
    Source.objects.create(name="http", kind=Kind.HTTP, paused=True)
    editor.post(reverse("first-steps-send"))
    assert "is paused" in said(editor.get(GUIDE))


def test_who_may_only_look_is_not_bothered_and_told_whom_to_ask():
    viewer = browser(person(Role.VIEWER))
    assert viewer.get("/").status_code == 200
    page = said(viewer.get(GUIDE))
    assert "Ask an administrator" in page
    assert "Send it" not in page
    assert viewer.post(reverse("first-steps-see"))["Location"] == GUIDE
