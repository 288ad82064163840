from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from eventhub.schemas.models import EventType
from monitoring import changes

pytestmark = pytest.mark.django_db(transaction=True)


def store(event_type: str, version: str | None, at=None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (event_id, event_type, event_version, occurred_at, recorded_at) "
            "VALUES (gen_random_uuid(), %s, %s, now(), coalesce(%s, now()))",
            [event_type, version, at],
        )


def test_a_version_is_noted_once_when_it_is_first_met():
    store("order.placed", "1")
    store("order.placed", "1")
    store("order.placed", None)
    store("eventhub.delivery.succeeded", "1")
    assert changes.note_versions() == 1
    store("order.placed", "1")
    store("order.placed", "2")
    assert changes.note_versions() == 1
    assert {seen.version for seen in changes.versions_seen("order.placed")} == {"1", "2"}
    assert changes.note_versions() == 0


def test_new_types_and_later_versions_are_what_changed():
    now = timezone.now()
    EventType.objects.create(name="order.placed", first_seen_at=now - timedelta(days=30))
    EventType.objects.create(name="order.lost", first_seen_at=now - timedelta(hours=2))
    store("order.placed", "2", now - timedelta(hours=1))
    store("order.lost", "1", now - timedelta(hours=2))  # came with its type: no news
    changes.note_versions()
    assert [(one.kind, one.event_type, one.version) for one in changes.recent(now)] == [
        ("version", "order.placed", "2"),
        ("type", "order.lost", ""),
    ]
