"""Writing a schema on its page: drawn from traffic, judged while typing, kept as a draft, published."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

pytestmark = pytest.mark.django_db
OLD = {"type": "object", "properties": {"total": {"type": "integer"}}}
STRICT = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer", "minimum": 5}}}


@pytest.fixture
def refunds():
    """Ten events of a type, from two services; the totals are 0…9."""
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["s"]})
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    events = [
        {
            "event_id": f"r-{n}",
            "event_type": "refund.requested",
            "timestamp": at,
            "data": {"total": n},
            "metadata": {"source": ["support", "shop"][n % 2]},
        }
        for n in range(10)
    ]
    pipeline = Pipeline(source)
    pipeline.write(
        pipeline.prepare(
            [
                Message(body=json.dumps(event).encode(), topic="s", offset=str(n), origin_key=f"s/{n}")
                for n, event in enumerate(events)
            ]
        )
    )
    return EventType.objects.get(name="refund.requested")


def post(client, what, schema, **more):
    text = schema if isinstance(schema, str) else json.dumps(schema, indent=2)
    return client.post(f"/catalogue/{what}/refund.requested/", {"schema": text, "version": "1", **more})


def test_a_schema_is_drawn_from_traffic(admin_client, refunds):
    page = admin_client.get("/catalogue/edit/refund.requested/?from=traffic").content.decode()
    assert "Schema from traffic" in page
    assert "&quot;total&quot;" in page
    assert "$.total" in page
    assert "70 %" in page


def test_what_would_fail_of_last_week_is_told_while_typing(admin_client, refunds):
    said = post(admin_client, "check", STRICT).content.decode()
    assert "2 services send this type" in said
    assert "<b>5 of 10</b>" in said
    assert "50 %" in said


def test_flaws_are_told_with_their_lines(admin_client, refunds):
    said = post(admin_client, "check", '{\n  "type": "object",\n  "properties": {"a": {"type": "objct"}}\n}')
    assert 'data-flaw-lines="3"' in said.content.decode()
    assert 'data-flaw-lines="2"' in post(admin_client, "check", "{\n  oops").content.decode()


def test_what_breaks_is_named_beside_the_diff(admin_client, refunds):
    SchemaVersion.objects.create(event_type=refunds, version="0", status=SchemaStatus.ACTIVE, schema=OLD)
    said = post(admin_client, "check", STRICT).content.decode()
    assert "It breaks BACKWARD in 2 places" in said
    assert "minimum_added" in said
    assert "Version 0 beside this one" in said
    assert "diff-row is-added" in said


def test_a_draft_is_kept_and_checks_nothing(admin_client, refunds):
    assert post(admin_client, "save", STRICT, do="draft")["HX-Redirect"] == "/event-types/refund.requested/"
    version = SchemaVersion.objects.get()
    assert (version.status, version.author.username) == ("draft", "admin")
    page = admin_client.get("/catalogue/edit/refund.requested/?version=1").content.decode()
    assert "Draft 1" in page


def test_publishing_sets_the_mode_and_the_default_version_and_is_audited(admin_client, refunds):
    post(admin_client, "save", STRICT, do="publish", validation="enforce", note="totals of 5 and up")
    refunds.refresh_from_db()
    assert (refunds.validation, refunds.default_version) == ("enforce", "1")
    assert SchemaVersion.objects.get().status == "active"
    assert AuditEntry.objects.get(action="publish schema").target == "refund.requested v1"


def test_what_breaks_is_published_only_in_spite_of_it(admin_client, refunds):
    SchemaVersion.objects.create(event_type=refunds, version="0", status=SchemaStatus.ACTIVE, schema=OLD)
    refused = post(admin_client, "save", STRICT, do="publish")
    assert refused.status_code == 422
    assert "breaks what the type promises" in refused.content.decode()
    post(admin_client, "save", STRICT, do="publish", in_spite="on")
    assert AuditEntry.objects.get().detail["breaks"] == ["minimum_added", "required_attribute_added"]


def test_a_published_version_is_not_written_again(admin_client, refunds):
    post(admin_client, "save", STRICT, do="publish")
    refused = post(admin_client, "save", OLD, do="draft")
    assert refused.status_code == 422
    assert "stays as it is" in refused.content.decode()


def test_who_may_not_write_schemas_is_told_whom_to_ask(client, django_user_model, refunds):
    client.force_login(django_user_model.objects.create_user("reader"))
    assert client.get("/catalogue/edit/refund.requested/").status_code == 403
    assert post(client, "save", STRICT).status_code == 403


def test_the_drift_report_names_what_moved_away(admin_client, refunds):
    schema = {
        "type": "object",
        "properties": {"total": {"type": "integer", "minimum": 5}, "note": {"type": "string"}},
    }
    SchemaVersion.objects.create(event_type=refunds, version="1", status=SchemaStatus.ACTIVE, schema=schema)
    page = admin_client.get("/catalogue/drift/refund.requested/").content.decode()
    assert "$.note" in page
    assert "50 %" in page
    assert "support" in page


def test_the_drift_of_a_type_without_a_schema_says_what_to_do(admin_client, refunds):
    assert "No active schema" in admin_client.get("/catalogue/drift/refund.requested/").content.decode()
