"""Ctrl-K finds everything that has a name and a page."""

from datetime import UTC, datetime

import pytest

from dlq.models import DeadLetterGroup, Reason
from eventhub.access.models import Role
from eventhub.brokers.models import Kind, Source
from eventhub.handlers.models import Handler
from eventhub.ingest import http
from eventhub.schemas.models import EventType
from eventhub.traces.models import Process, SavedSearch
from tests.access.people import browser, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return person(Role.EDITOR, "ada")


def asked(user, typed: str) -> dict[tuple[str, str], str]:
    answer = browser(user).get("/palette", {"q": typed})
    assert answer.status_code == 200
    return {(hit["hint"], hit["label"]): hit["url"] for hit in answer.json()}


@pytest.fixture
def payments(ada):
    source = Source.objects.create(name="payments", kind=Kind.HTTP)
    EventType.objects.create(name="payment.captured")
    Handler.objects.create(name="notify-payment")
    Process.objects.create(name="Payment run", start_type="payment.captured")
    SavedSearch.objects.create(owner=ada, name="Late payments", query="q=slow")
    return DeadLetterGroup.objects.create(
        fingerprint="f",
        title="PaymentTimeout in billing",
        reason=Reason.SERVICE,
        source=source,
        first_seen_at=datetime.now(UTC),
    )


def test_a_few_letters_find_each_kind_of_thing_with_its_page(ada, payments):
    found = asked(ada, "paym")
    assert found[("source", "payments")] == "/sources/payments/"
    assert found[("event type", "payment.captured")] == "/event-types/payment.captured/"
    assert found[("handler", "notify-payment")] == "/handlers/notify-payment/"
    assert found[("dead letters", "PaymentTimeout in billing")] == f"/dead-letters/?group={payments.pk}"
    assert found[("saved search", "Late payments")] == "/traces/?q=slow"
    assert ("process", "Payment run") in found


def test_every_word_has_to_be_there(ada, payments):
    assert ("event type", "payment.captured") in asked(ada, "capt pay")
    assert ("source", "payments") not in asked(ada, "capt pay")


def test_an_id_leads_to_its_event_and_its_trace(ada):
    http.accept(
        b'{"event_id": "an-event-1", "event_type": "a.b", "metadata": {"correlation_id": "a-story-1"}}',
        {"content-type": "application/json"},
    )
    assert asked(ada, "an-event-1") == {("event", "a.b an-event-1"): "/events/an-event-1/"}
    assert asked(ada, "a-story-1") == {("trace", "a-story-1"): "/traces/a-story-1/"}


def test_settings_are_found_by_those_who_may_open_them(ada):
    assert "/admin/monitoring/alertrule/" in asked(ada, "alert rules").values()
    assert not asked(person(Role.VIEWER), "alert rules")


def test_searches_of_others_stay_theirs_unless_they_share_them(ada, payments):
    viewer = person(Role.VIEWER)
    assert ("saved search", "Late payments") not in asked(viewer, "late")
    SavedSearch.objects.update(is_shared=True)
    assert ("saved search", "Late payments") in asked(viewer, "late")


@pytest.mark.parametrize("typed", ["", "   ", "\x00", "%", "_", "\\", "'; --", "x" * 5000, "🙂🙂🙂🙂🙂🙂"])
def test_whatever_is_typed_is_answered(ada, payments, typed):
    asked(ada, typed)
