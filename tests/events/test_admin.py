import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from eventhub.events.models import MutatedDuplicate
from tests.traces.building import START, event, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(admin_client):
    return admin_client


def test_the_list_of_events_never_counts_them(admin):
    store(*(event(f"e{number}") for number in range(3)))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = admin.get("/admin/events/event/").content.decode()
    assert "/events/e2/" in page
    assert not any("COUNT(" in query["sql"] for query in queries if "events_event" in query["sql"])


def test_events_are_found_by_either_whole_id(admin):
    store(event("a", correlation_id="c-1"), event("b", correlation_id="c-2"))
    assert "/events/a/" in admin.get("/admin/events/event/?q=a").content.decode()
    page = admin.get("/admin/events/event/?q=c-2").content.decode()
    assert "/events/b/" in page
    assert "/events/a/" not in page


def test_events_can_be_leafed_through_and_not_changed(admin):
    store(*(event(f"e{number}") for number in range(60)))
    assert "/events/e0/" in admin.get("/admin/events/event/?p=2").content.decode()
    assert admin.get("/admin/events/event/add/").status_code == 403
    assert admin.get("/admin/events/event/1/change/").status_code == 302


def test_a_mutated_duplicate_shows_what_came_later(admin):
    duplicate = MutatedDuplicate.objects.create(
        event_id="a", occurred_at=START, event_type="order.placed", content='{"total": 5}', content_digest="d"
    )
    page = admin.get(f"/admin/events/mutatedduplicate/{duplicate.pk}/change/").content.decode()
    assert "total" in page
    assert "/events/a/" in page
    assert "a" in admin.get("/admin/events/mutatedduplicate/?q=a").content.decode()
