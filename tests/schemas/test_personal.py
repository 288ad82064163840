"""Fields that tell of a person: dropped at ingest, masked where they are shown."""

import json
from datetime import UTC, datetime

import pytest

from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.events.models import Event
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, PersonalField, SchemaStatus, SchemaVersion, Treatment
from eventhub.schemas.personal import masked, steps_of, without

pytestmark = pytest.mark.django_db
DATA = {"id": 1, "customer": {"email": "a@b.c", "age": 7}, "items": [{"name": "Ann"}, {"name": None}, 3]}


@pytest.mark.parametrize(
    ("path", "left", "shown"),
    [
        ("$.customer.email", {"age": 7}, {"email": "•••", "age": 7}),
        ("$.customer.none", DATA["customer"], DATA["customer"]),
        ("$.id.deeper", DATA["customer"], DATA["customer"]),
    ],
)
def test_a_field_by_its_path(path, left, shown):
    assert without(DATA, [steps_of(path)])["customer"] == left
    assert masked(DATA, [steps_of(path)])["customer"] == shown


def test_a_field_of_every_item():
    assert masked(DATA, [steps_of("$.items[*].name")])["items"] == [{"name": "•••"}, {"name": None}, 3]
    assert without(DATA, [steps_of("$.items[*].name")])["items"] == [{}, {}, 3]


@pytest.mark.parametrize("path", ["email", "$", "$..a", "$.a."])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="is no path"):
        steps_of(path)


@pytest.fixture
def signed_up():
    def send(treatment):
        event_type = EventType.objects.create(name="customer.signed_up")
        PersonalField.objects.create(event_type=event_type, path="$.customer.email", treatment=treatment)
        source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["s"]})
        event = {
            "event_id": "e-1",
            "event_type": "customer.signed_up",
            "timestamp": datetime.now(UTC).isoformat(),
            "data": DATA,
            "metadata": {"correlation_id": "c-1"},
        }
        pipeline = Pipeline(source)
        message = Message(body=json.dumps(event).encode(), topic="s", offset="1", origin_key="s/1")
        pipeline.write(pipeline.prepare([message]))

    return send


def test_the_drift_report_tells_no_value_to_those_who_may_not_see_it(signed_up, client, django_user_model):
    signed_up(Treatment.MASK)
    schema = {"properties": {"customer": {"properties": {"email": {"enum": ["other"]}}}}}
    event_type = EventType.objects.get()
    SchemaVersion.objects.create(
        event_type=event_type, version="1", status=SchemaStatus.ACTIVE, schema=schema
    )
    client.force_login(django_user_model.objects.create_user("reader"))
    page = client.get("/catalogue/drift/customer.signed_up/").content.decode()
    assert "$.customer.email" in page
    assert "a@b.c" not in page
    client.force_login(django_user_model.objects.create_superuser("admin"))
    assert "a@b.c" in client.get("/catalogue/drift/customer.signed_up/").content.decode()


def test_what_is_to_be_dropped_is_never_stored(signed_up):
    signed_up(Treatment.DROP)
    assert Event.objects.get().data["customer"] == {"age": 7}


def test_what_is_masked_is_stored_and_shown_to_those_who_may_see_it(signed_up, client, django_user_model):
    signed_up(Treatment.MASK)
    assert Event.objects.get().data["customer"]["email"] == "a@b.c"
    pages = ("/events/e-1/", "/event-types/customer.signed_up/", "/api/events?event_id=e-1")
    client.force_login(django_user_model.objects.create_user("reader"))
    for page in (*pages, "/traces/c-1/?event=e-1"):
        assert "a@b.c" not in client.get(page).content.decode(), page
    client.force_login(django_user_model.objects.create_superuser("admin"))
    for page in pages:
        assert "a@b.c" in client.get(page).content.decode(), page
