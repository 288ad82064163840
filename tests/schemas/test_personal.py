"""Fields that tell of a person: dropped at ingest, masked where they are shown."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from eventhub.access import audit
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets import keys
from eventhub.brokers.secrets.rotating import rotate_all
from eventhub.events import queries
from eventhub.events.message import Message
from eventhub.events.models import Event, MutatedDuplicate
from eventhub.handlers.attempting import _as_wanted
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import (
    EventType,
    PersonalField,
    PersonalKey,
    SchemaStatus,
    SchemaVersion,
    Treatment,
)
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.paths import masked, steps_of, without
from eventhub.schemas.personal.sealing import known_keys, opened

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
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
    assert masked(DATA, [steps_of("$.items[*].name")])["items"] == [{"name": "•••"}, {"name": None}, "•••"]
    assert without(DATA, [steps_of("$.items[*].name")])["items"] == [{}, {}, None]


def test_what_stands_in_place_of_a_field_s_object_is_hidden_whole():
    wrong = {"customer": "a@b.c", "items": {"name": "Ann"}}
    paths = [steps_of("$.customer.email"), steps_of("$.items[*].name")]
    assert masked(wrong, paths) == {"customer": "•••", "items": "•••"}
    assert without(wrong, paths) == {"customer": None, "items": None}


@pytest.mark.parametrize("path", ["email", "$", "$..a", "$.a."])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="is no path"):
        steps_of(path)


@pytest.fixture(autouse=True)
def nothing_known():
    fields.forget()
    known_keys.forget()


@pytest.fixture
def signed_up():
    def send(treatment):
        event_type, _ = EventType.objects.get_or_create(name="customer.signed_up")
        PersonalField.objects.get_or_create(
            event_type=event_type, path="$.customer.email", treatment=treatment
        )
        source, _ = Source.objects.get_or_create(name="shop", kind=Kind.REDIS, config={"streams": ["s"]})
        event = {
            "event_id": "e-1",
            "event_type": "customer.signed_up",
            "timestamp": NOW.isoformat(),
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


def test_what_is_encrypted_is_opened_for_those_who_may_see_it(signed_up, client, django_user_model):
    signed_up(Treatment.ENCRYPT)
    stored = Event.objects.get().data["customer"]
    assert stored["email"].startswith("sealed:1:")
    assert stored["age"] == 7
    client.force_login(django_user_model.objects.create_user("reader"))
    for page in ("/events/e-1/", "/api/events?event_id=e-1"):
        answer = client.get(page).content.decode()
        assert "a@b.c" not in answer
        assert "sealed:" not in answer
    client.force_login(django_user_model.objects.create_superuser("admin"))
    assert "a@b.c" in client.get("/events/e-1/").content.decode()
    assert AuditEntry.objects.get(action="see personal data").actor == "admin"


def test_an_encrypted_event_that_comes_again_is_the_same_event(signed_up):
    signed_up(Treatment.ENCRYPT)
    signed_up(Treatment.ENCRYPT)
    assert Event.objects.count() == 1
    assert not MutatedDuplicate.objects.exists()


def test_keys_of_personal_data_are_encrypted_anew_with_the_other_secrets(signed_up, settings):
    signed_up(Treatment.ENCRYPT)
    before = PersonalKey.objects.get()
    settings.SECRETS_KEYS = [keys.new_key()]
    rotate_all(audit.SYSTEM)
    after = PersonalKey.objects.get()
    assert before.secrets != after.secrets
    known_keys.forget()
    event = queries.events_by_id("e-1")[0]
    assert opened(event).value == DATA


def test_without_its_key_nobody_reads_it_any_more(signed_up, client, django_user_model):
    signed_up(Treatment.ENCRYPT)
    month = PersonalKey.objects.get()
    client.force_login(django_user_model.objects.create_superuser("admin"))
    client.post(f"/admin/schemas/personalkey/{month.pk}/delete/", {"post": "yes"})
    assert not PersonalKey.objects.exists()
    assert AuditEntry.objects.get(action="delete key of personal data").target == month.name
    assert opened(queries.events_by_id("e-1")[0]).value["customer"]["email"] == "•••"


def test_handlers_read_what_is_encrypted(signed_up):
    signed_up(Treatment.ENCRYPT)
    seen = []
    subscription = SimpleNamespace(version=None, function=seen.append)
    wanted = _as_wanted(subscription, queries.events_by_id("e-1")[0])
    assert wanted.value == DATA


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
