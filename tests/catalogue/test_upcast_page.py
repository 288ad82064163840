"""An upcast is tried on stored events while it is typed, and saved."""

import json
from datetime import UTC, datetime

import pytest

from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

pytestmark = pytest.mark.django_db
GOOD = json.dumps({"expression": "{id: order_id}", "defaults": {"currency": "EUR"}})


@pytest.fixture
def second():
    """Version 2 of a type that has an event of version 1."""
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["s"]})
    event = {
        "event_id": "o-1",
        "event_type": "order.placed",
        "event_version": "1",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"order_id": 7},
    }
    pipeline = Pipeline(source)
    message = Message(body=json.dumps(event).encode(), topic="s", offset="1", origin_key="s/1")
    pipeline.write(pipeline.prepare([message]))
    event_type = EventType.objects.get()
    SchemaVersion.objects.create(event_type=event_type, version="1", status=SchemaStatus.ACTIVE, schema={})
    schema = {"type": "object", "required": ["id"]}
    return SchemaVersion.objects.create(
        event_type=event_type, version="2", status=SchemaStatus.ACTIVE, schema=schema
    )


def test_it_is_tried_on_events_of_the_version_before(admin_client, second):
    url = f"/catalogue/upcast/{second.pk}/"
    page = admin_client.get(url).content.decode()
    assert "does not fit version 2 then" in page
    said = admin_client.post(url, {"upcast": GOOD}).content.decode()
    assert "fits version 2 then" in said
    assert "&quot;currency&quot;: &quot;EUR&quot;" in said
    second.refresh_from_db()
    assert second.upcast is None


def test_it_is_saved_for_a_published_version_too(admin_client, second):
    admin_client.post(f"/catalogue/upcast/{second.pk}/", {"upcast": GOOD, "do": "save"})
    second.refresh_from_db()
    assert second.upcast["defaults"] == {"currency": "EUR"}
    assert AuditEntry.objects.get().action == "save upcast"


@pytest.mark.parametrize(
    ("text", "said"), [("{", "not JSON"), ('{"expression": "{a"}', "no JMESPath"), ("7", "An upcast")]
)
def test_what_is_no_upcast_is_told_and_not_saved(admin_client, second, text, said):
    answer = admin_client.post(f"/catalogue/upcast/{second.pk}/", {"upcast": text, "do": "save"})
    assert said in answer.content.decode()
    second.refresh_from_db()
    assert second.upcast is None
