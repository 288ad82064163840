"""Importing many schemas at once: seen first, then kept as drafts."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from eventhub.access.models import AuditEntry
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

pytestmark = pytest.mark.django_db
ADDRESS = "/catalogue/import/"
TOTAL = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}
AVRO = {"type": "record", "name": "Refund", "fields": [{"name": "amount", "type": "long"}]}
ASYNCAPI = {
    "asyncapi": "3.0.0",
    "info": {"title": "Shop", "version": "1"},
    "channels": {
        "orders": {
            "messages": {
                "placed": {"name": "order.placed", "payload": TOTAL},
                "paid": {"name": "order.paid", "payload": {"type": "object"}},
            }
        }
    },
}


@pytest.fixture
def page(admin_client):
    def post(**fields):
        answer = admin_client.post(ADDRESS, fields, headers={"HX-Request": "true"})
        return answer, answer.content.decode()

    return post


def file(name, value):
    return SimpleUploadedFile(name, value if isinstance(value, bytes) else json.dumps(value).encode())


def test_what_would_become_of_each_is_seen_before_anything_is_kept(page):
    placed = EventType.objects.create(name="order.placed", compatibility="BACKWARD")
    loose = {"type": "object", "properties": {"total": {"type": "integer"}}}
    SchemaVersion.objects.create(event_type=placed, version="1", status=SchemaStatus.ACTIVE, schema=loose)
    files = [
        file("shop.json", ASYNCAPI),
        file("refund.requested.avsc", AVRO),
        file("bad.one.json", {"type": "objct"}),
        file("order.placed.json", loose),
    ]
    answer, said = page(files=files, do="look")
    assert answer.status_code == 200
    assert "5 found, 3 new" in said
    assert "It would break BACKWARD when it is published" in said
    assert "cannot be used" in said
    assert "here already" in said
    assert SchemaVersion.objects.count() == 1


def test_what_is_kept_are_drafts_and_the_flawed_and_the_known_are_left_out(page):
    fields = {"files": [file("shop.json", ASYNCAPI), file("bad.json", {"type": "objct"})], "do": "keep"}
    answer, _ = page(**fields)
    assert answer.headers["HX-Redirect"] == "/event-types/"
    kept = SchemaVersion.objects.order_by("event_type__name")
    assert [(one.event_type.name, one.version, one.status) for one in kept] == [
        ("order.paid", "1", "draft"),
        ("order.placed", "1", "draft"),
    ]
    assert AuditEntry.objects.get().action == "import schemas"
    # An upload is read once; a browser sends it again.
    fields["files"] = [file("shop.json", ASYNCAPI)]
    _, said = page(**fields | {"do": "look"})
    assert "There is nothing new to keep" in said


def test_a_pasted_schema_is_of_the_type_that_is_written_beside_it(page):
    page(text=json.dumps(TOTAL), name="order.placed", do="keep")
    assert SchemaVersion.objects.get().event_type.name == "order.placed"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Nothing was given"),
        ({"text": "{"}, "It is not JSON"),
        ({"text": json.dumps(TOTAL)}, "cannot be told"),
        ({"files": [file("a.json", b"\xff\xfe")]}, "a.json is not a text in UTF-8"),
        ({"files": [file("a.json", b"[" * 100_000)]}, "a.json"),
        ({"text": '{"asyncapi": "1.2"}'}, "AsyncAPI 1.2 is not read"),
        ({"registry": "http://127.0.0.1:1"}, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_reason(page, fields, words):
    answer, said = page(**fields, do="keep")
    assert answer.status_code == 422
    assert words in said
    assert not SchemaVersion.objects.exists()
