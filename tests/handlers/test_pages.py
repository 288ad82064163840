"""The pages of handlers: what they say, and what can be done there."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from eventhub.access.models import AuditEntry
from eventhub.handlers import Breaker, PermanentError, Retry, TemporaryError
from eventhub.handlers.models import Delivery, Handler, Replay
from tests.handlers.conftest import placed

HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(hub, django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("olga", is_staff=True))
    return client


@pytest.fixture
def visitor(hub, django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("vera"))
    return client


@pytest.fixture
def ship(hub, handles):
    """A handler that has processed one event, given up on one and is to try one again."""

    @handles("order.placed", retry=Retry(max_attempts=3, base=200, cap=200))
    def ship(event):
        """Books a carrier for each order."""
        if event.event_id == "evt-2":
            raise PermanentError("no such address <script>")
        if event.event_id == "evt-3":
            raise TemporaryError("the carrier is busy")

    hub.take(placed(1), placed(2), placed(3))
    hub.run("ship")
    return hub


def test_the_list_says_how_each_handler_stands(browser, ship):
    page = browser.get("/handlers/").content.decode()
    assert "ship" in page
    assert "Books a carrier for each order." in page
    assert "order.placed" in page
    assert "66 %" in page or "67 %" in page  # of its attempts failed
    assert browser.get("/handlers/", headers=HTMX).content.decode().lstrip().startswith("<div")


def test_without_handlers_the_list_says_how_to_write_one(browser):
    assert "@handles" in browser.get("/handlers/").content.decode()


def test_a_handlers_page_shows_its_failures_its_letters_and_what_it_asked_for(browser, ship):
    page = browser.get("/handlers/ship/").content.decode()
    assert "no such address &lt;script&gt;" in page
    assert "given up" in page
    assert "will be tried again" in page
    assert "3 attempts; waits up to 3 min 20 s" in page
    assert "1 open" in page
    assert browser.get("/handlers/nobody/").status_code == 404


def test_pausing_and_resuming_from_the_list_is_audited(browser, ship):
    paused = browser.post("/handlers/ship/pause?from=list", headers=HTMX)
    assert "paused" in paused.content.decode()
    assert Handler.objects.get(name="ship").paused
    browser.post("/handlers/ship/pause", headers=HTMX)  # once more changes nothing
    browser.post("/handlers/ship/resume")
    assert not Handler.objects.get(name="ship").paused
    deeds = AuditEntry.objects.order_by("pk").values_list("actor", "action", "target")
    assert list(deeds) == [("olga", "pause", "handler ship"), ("olga", "resume", "handler ship")]


def test_switched_off_it_gets_no_new_events(browser, ship):
    assert "A replay can deliver them later" in browser.get("/handlers/ship/off").content.decode()
    browser.post("/handlers/ship/disable", headers=HTMX)
    ship.take(placed(4))
    assert not Delivery.objects.filter(event_id="evt-4").exists()
    assert "/handlers/ship/enable?from=list" in browser.get("/handlers/").content.decode()
    browser.post("/handlers/ship/enable?from=list", headers=HTMX)
    ship.take(placed(5))
    assert Delivery.objects.filter(event_id="evt-5").exists()


def test_a_stopped_handler_says_of_what_and_can_be_tried_now(browser, hub, handles):
    @handles("order.placed", retry=Retry(max_attempts=1), breaker=Breaker(after=2, probe_s=100))
    def bill(event):
        raise ConnectionRefusedError("nobody answers")

    hub.take(*[placed(n) for n in range(4)])
    hub.run("bill")
    page = browser.get("/handlers/bill/").content.decode()
    assert "stopped" in page
    assert "nobody answers" in page
    assert "Try now" in page
    assert "/handlers/bill/try-again?from=list" in browser.get("/handlers/").content.decode()
    browser.post("/handlers/bill/try-again", headers=HTMX)
    assert Handler.objects.get(name="bill").probe_at <= timezone.now()


def test_what_no_worker_takes_is_said(browser, hub, handles):
    handles("order.placed", name="ship")(lambda event: None)
    hub.take(placed(1))
    Delivery.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    page = browser.get("/handlers/").content.decode()
    assert "no worker" in page
    assert "--queues handlers" in page


def test_a_replay_is_looked_at_before_it_is_begun(browser, ship):
    sheet = browser.get("/handlers/ship/replay", headers=HTMX).content.decode()
    assert "Dry run" in sheet
    assert "hx-post" not in sheet
    plan = browser.get(
        "/handlers/ship/replay", {"dry_run": "1", "which": "dead"}, headers=HTMX
    ).content.decode()
    assert "<b>3</b> events fit" in plan
    assert "<b>1</b> processed" in plan
    assert "<b>1</b> dead letter" in plan
    assert "<b>1</b> waiting already" in plan
    # Which they are: each example with what became of it.
    states = re.findall(r"/events/(evt-\d)/.*?(processed|dead letter|waiting|never delivered)<", plan)
    assert states == [("evt-1", "processed"), ("evt-2", "dead letter"), ("evt-3", "waiting")]
    assert "hx-post" in plan
    begun = browser.post("/handlers/ship/replay", {"which": "dead"}, headers=HTMX)
    assert begun.status_code == 200
    assert Replay.objects.get().which == "dead"
    page = browser.get("/handlers/ship/").content.decode()
    assert f"/handlers/replays/{Replay.objects.get().pk}/cancel" in page
    browser.post(f"/handlers/replays/{Replay.objects.get().pk}/cancel", headers=HTMX)
    assert Replay.objects.get().state == "cancelled"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"since": "yesterday"}, "write a time such as"), ({"event_type": "order.paid"}, "does not ask for"),
     ({"since": "2026-11-25T00:00", "until": "2026-11-24T00:00"}, "ends before it begins"),
     ({"correlation_id": "a\x00b"}, "No event fits")],
)  # fmt: skip
def test_a_selection_that_makes_no_sense_is_answered_with_words(browser, ship, given, said):
    answer = browser.get("/handlers/ship/replay", {"dry_run": "1", **given}, headers=HTMX)
    assert said in answer.content.decode()


def test_who_may_only_watch_sees_no_buttons_and_is_refused(visitor, ship):
    page = visitor.get("/handlers/ship/").content.decode()
    assert "hx-post" not in page
    assert "/replay" not in page
    refused = visitor.post("/handlers/ship/pause", headers=HTMX)
    assert refused.status_code == 403
    assert "Ask an administrator" in refused.content.decode()
    assert visitor.post("/handlers/ship/replay", {"which": "all"}).status_code == 403
    assert not Handler.objects.get(name="ship").paused


def test_an_events_page_shows_who_processed_it_and_who_has_still_to(browser, ship):
    done = browser.get("/events/evt-1/").content.decode()
    assert "Processed by" in done
    assert "/handlers/ship/" in done
    waiting = browser.get("/events/evt-3/").content.decode()
    assert "waits for its retry" in waiting
    assert "the carrier is busy" in waiting


def test_a_trace_counts_a_handlers_failure_and_is_not_made_longer_by_it(browser, ship):
    page = browser.get("/traces/order-2/").content.decode()
    assert "ship" in page
    assert "no such address" in page
