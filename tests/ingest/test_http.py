import json

import pytest
from django.test import Client

from dlq.models import DeadLetter
from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Source
from eventhub.events.models import Event
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode

pytestmark = pytest.mark.django_db

STORED = {
    "event_id": "e-1",
    "event_type": "order.placed",
    "timestamp": "2026-11-24T10:00:00Z",
    "data": {"n": 1},
}


@pytest.fixture
def post():
    client = Client(headers={"authorization": f"Bearer {create_token('shop', Scope.INGEST)}"})

    def send(body, content_type="application/json", **headers):
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        return client.post("/api/events", raw, content_type=content_type, headers=headers)

    return send


def test_a_native_event_is_stored_before_the_answer(post):
    response = post(STORED)
    assert response.status_code == 202
    assert response.json() == {
        "accepted": 1,
        "rejected": 0,
        "results": [{"index": 0, "status": "stored", "event_id": "e-1", "error": None, "reason": None}],
    }
    assert Event.objects.get(event_id="e-1").data == {"n": 1}


@pytest.mark.django_db(transaction=True)
def test_the_same_event_again_is_a_duplicate_and_with_other_content_mutated(post):
    post(STORED)
    assert post(STORED).json()["results"][0]["status"] == "duplicate"
    assert post(STORED | {"data": {"n": 2}}).json()["results"][0]["status"] == "mutated"
    assert Event.objects.get(event_id="e-1").data == {"n": 1}


def test_a_body_without_id_and_time_sent_twice_is_one_event(post):
    body = {"event_type": "order.placed", "data": {"n": 1}}
    first, second = post(body).json(), post(body).json()
    assert (first["results"][0]["status"], second["results"][0]["status"]) == ("stored", "duplicate")
    assert Event.objects.count() == 1


def test_each_event_of_a_batch_gets_its_own_answer(post):
    response = post([STORED, {"event_type": 7}, STORED | {"event_id": "e-2"}, 5])
    assert response.status_code == 202
    results = response.json()["results"]
    assert [result["status"] for result in results] == ["stored", "rejected", "stored", "rejected"]
    assert "event_type" in results[1]["reason"]
    assert DeadLetter.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not UTF-8"),
        (b"[]", 400, "not an object"),
        (b'{"hello": "world"}', 400, "neither event_type"),
        (b'{"event_type": "a", "data": "\\u0000"}', 400, "u0000"),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b'{"event_type": "a", "timestamp": "tomorrow"}', 400, "timestamp"),
        (b'{"event_type": "a", "data": 1e999999}', 422, "overflows"),
    ],
)
def test_what_cannot_be_an_event_is_refused_with_the_reason(post, body, status, reason):
    response = post(body)
    assert response.status_code == status
    assert reason in response.json()["results"][0]["reason"]
    assert Event.objects.count() == 0


def test_a_cloudevent_is_read_in_structured_batch_and_binary_mode(post):
    event = {
        "specversion": "1.0",
        "id": "s",
        "source": "/shop",
        "type": "order.placed",
        "correlationid": "c-1",
    }
    assert post(event, "application/cloudevents+json").status_code == 202
    assert post([event | {"id": "b"}], "application/cloudevents-batch+json; charset=utf-8").status_code == 202
    binary = post(
        b"hello %",
        "text/plain",
        **{"ce-specversion": "1.0", "ce-id": "bin", "ce-source": "/a%20b", "ce-type": "note.written"},
    )
    assert binary.status_code == 202
    stored = {row.event_id: row for row in Event.objects.all()}
    assert stored["s"].correlation_id == "c-1"
    assert stored["bin"].source == "/a b"
    assert stored["bin"].data == "hello %"


def test_other_content_types_and_compressed_bodies_are_refused(post):
    assert post("a=1", "application/x-www-form-urlencoded").status_code == 415
    assert post(STORED, **{"content-encoding": "gzip"}).status_code == 415


def test_a_body_beyond_the_limit_is_refused(post, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = post(STORED | {"data": "x" * 2000})
    assert response.status_code == 413
    assert "HTTP_MAX_BODY_BYTES" in response.json()["detail"]


def test_a_token_is_needed_and_its_scope_must_be_ingest():
    body = json.dumps(STORED)
    assert Client().post("/api/events", body, content_type="application/json").status_code == 401
    reader = Client(headers={"authorization": f"Bearer {create_token('bi', Scope.READ)}"})
    response = reader.post("/api/events", body, content_type="application/json")
    assert response.status_code == 403
    assert "token create" in response.json()["detail"]


def test_a_paused_source_asks_to_come_again_later(post):
    post(STORED)
    Source.objects.filter(name="http").update(paused=True)
    response = post(STORED)
    assert response.status_code == 503
    assert response["Retry-After"]


def test_an_event_that_breaks_an_enforced_schema_is_refused_with_the_path(post, monkeypatch):
    order = EventType.objects.create(name="order.placed", validation=ValidationMode.ENFORCE)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    SchemaVersion.objects.create(event_type=order, version="1", status=SchemaStatus.ACTIVE, schema=schema)
    monkeypatch.setattr("eventhub.schemas.validation.LOOK_FOR_CHANGES_EVERY_S", 0)
    response = post(STORED | {"event_version": "1", "data": {"n": "one"}})
    assert response.status_code == 422
    assert "$.n:" in response.json()["results"][0]["reason"]


def test_credentials_of_the_request_are_not_kept_with_the_event(post):
    event = {"ce-specversion": "1.0", "ce-id": "bin", "ce-source": "/s", "ce-type": "t"}
    post(b"1", "application/json", **event)
    assert "evh_" not in json.dumps(Event.objects.get().metadata)
