"""The registry over HTTP: what clients of Confluent's expect, and who may do what."""

import json

import pytest

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.schemas.models import EventType, SchemaVersion

pytestmark = pytest.mark.django_db
ORDER = {"type": "object", "additionalProperties": False, "properties": {"id": {"type": "string"}}}


@pytest.fixture
def ask(client):
    """Ask as somebody with the scope."""
    tokens = {scope: create_token(scope, scope) for scope in (Scope.READ, Scope.INGEST, Scope.CONFIGURE)}

    def ask(method, path, body=None, scope=Scope.CONFIGURE):
        headers = {"Authorization": f"Bearer {tokens[scope]}"} if scope else {}
        answer = client.generic(
            method,
            f"/registry/{path}",
            json.dumps(body) if body else b"",
            "application/json",
            headers=headers,
        )
        return answer.status_code, answer.json()

    return ask


def sent(schema, **more):
    return {"schemaType": "JSON", "schema": json.dumps(schema), **more}


def with_member(name):
    return {**ORDER, "properties": {**ORDER["properties"], name: {"type": "integer"}}}


def test_a_schema_is_registered_and_read_back_as_it_was_sent(ask):
    status, made = ask("POST", "subjects/orders-value/versions", sent(ORDER))
    assert status == 200
    assert made["version"] == 1
    assert ask("GET", f"schemas/ids/{made['id']}")[1] == {"schemaType": "JSON", "schema": json.dumps(ORDER)}
    assert ask("GET", "subjects")[1] == ["orders-value"]
    assert ask("GET", "subjects/orders-value/versions")[1] == [1]
    latest = ask("GET", "subjects/orders-value/versions/latest")[1]
    assert (latest["version"], latest["id"], latest["subject"]) == (1, made["id"], "orders-value")
    assert ask("GET", "subjects/orders-value/versions/1/schema")[1] == ORDER
    assert ask("GET", f"schemas/ids/{made['id']}/versions")[1] == [{"subject": "orders-value", "version": 1}]


def test_the_subject_of_a_topic_is_the_event_type_without_its_ending(ask):
    ask("POST", "subjects/orders-value/versions", sent(ORDER))
    event_type = EventType.objects.get()
    assert (event_type.name, event_type.subject, event_type.default_version) == (
        "orders",
        "orders-value",
        "1",
    )


def test_a_schema_can_name_its_event_type_and_version(ask):
    ask(
        "POST",
        "subjects/topic-value/versions",
        sent({**ORDER, "x-event-type": "order.placed", "x-event-version": "2026-11"}),
    )
    version = SchemaVersion.objects.get()
    assert (version.event_type.name, version.version, version.status) == ("order.placed", "2026-11", "active")


def test_the_schema_of_a_whole_envelope_checks_the_data_within_it(ask):
    envelope = {
        "type": "object",
        "properties": {"event_id": {}, "event_type": {}, "data": {"$ref": "#/$defs/order"}},
        "$defs": {"order": ORDER},
    }
    made = ask("POST", "subjects/order.placed/versions", sent(envelope))[1]
    assert SchemaVersion.objects.get().schema == {"$ref": "#/$defs/order", "$defs": {"order": ORDER}}
    assert json.loads(ask("GET", f"schemas/ids/{made['id']}")[1]["schema"]) == envelope


def test_the_same_schema_is_one_version_and_one_id(ask):
    first = ask("POST", "subjects/a/versions", sent(ORDER))[1]
    assert ask("POST", "subjects/a/versions", sent(ORDER))[1]["version"] == first["version"]
    assert ask("POST", "subjects/b/versions", sent(ORDER))[1]["id"] == first["id"]
    assert ask("POST", "subjects/a", sent(ORDER))[1]["version"] == 1
    assert ask("POST", "subjects/a", sent(with_member("n")))[1]["error_code"] == 40403


def test_what_breaks_the_level_is_refused_with_the_places(ask):
    ask("POST", "subjects/a/versions", sent(ORDER))
    narrower = {**ORDER, "required": ["id"]}
    status, refused = ask("POST", "subjects/a/versions", sent(narrower))
    assert (status, refused["error_code"]) == (409, 409)
    assert "REQUIRED_ATTRIBUTE_ADDED at $.id" in refused["message"]
    assert ask("POST", "compatibility/subjects/a/versions/latest", sent(narrower))[1] == {
        "is_compatible": False
    }
    verdict = ask("POST", "compatibility/subjects/a/versions?verbose=true", sent(narrower))[1]
    assert "may lack it" in verdict["messages"][0]
    assert ask("POST", "compatibility/subjects/a/versions/latest", sent(with_member("n")))[1]["is_compatible"]
    assert ask("POST", "subjects/a/versions", sent(with_member("n")))[1]["version"] == 2


def test_a_subject_has_a_level_of_its_own_or_the_default(ask):
    ask("POST", "subjects/a/versions", sent(ORDER))
    assert ask("GET", "config")[1] == {"compatibilityLevel": "BACKWARD"}
    assert ask("GET", "config/a")[1]["error_code"] == 40408
    assert ask("GET", "config/a?defaultToGlobal=true")[1] == {"compatibilityLevel": "BACKWARD"}
    assert ask("PUT", "config/a", {"compatibility": "NONE"})[1] == {"compatibility": "NONE"}
    assert ask("GET", "config/a")[1] == {"compatibilityLevel": "NONE"}
    assert ask("POST", "subjects/a/versions", sent({**ORDER, "required": ["id"]}))[0] == 200
    assert ask("DELETE", "config/a")[0] == 200
    assert ask("PUT", "config", {"compatibility": "FULL_TRANSITIVE"})[0] == 200
    assert ask("GET", "config/a?defaultToGlobal=true")[1] == {"compatibilityLevel": "FULL_TRANSITIVE"}
    assert ask("PUT", "config", {"compatibility": "SIDEWAYS"})[1]["error_code"] == 42203


def test_a_deleted_version_is_retired_and_still_found_by_its_id(ask):
    made = ask("POST", "subjects/a/versions", sent(ORDER))[1]
    assert ask("DELETE", "subjects/a/versions/1")[1] == 1
    assert SchemaVersion.objects.get().status == "retired"
    assert ask("GET", f"schemas/ids/{made['id']}")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "subjects/none/versions", None, 40401),
        ("GET", "subjects/a/versions/9", None, 40402),
        ("GET", "subjects/a/versions/x", None, 42202),
        ("GET", "schemas/ids/99999999", None, 40403),
        ("GET", "schemas/ids/x", None, 40403),
        ("POST", "subjects/a/versions", {"schema": '{"type": "objct"}', "schemaType": "JSON"}, 42201),
        ("POST", "subjects/a/versions", {"schema": "{", "schemaType": "JSON"}, 42201),
        ("POST", "subjects/a/versions", {"schema": '"string"', "schemaType": "AVRO"}, 42201),
        ("POST", "subjects/a/versions", {"schemaType": "JSON"}, 42201),
        ("PATCH", "subjects/a", None, 405),
    ],
)
def test_what_cannot_be_answered_is_refused_in_confluents_codes(ask, method, path, body, code):
    ask("POST", "subjects/a/versions", sent(ORDER))
    status, answer = ask(method, path, body)
    assert answer["error_code"] == code
    assert status == int(str(code)[:3])
    assert answer["message"]


def test_who_may_read_may_not_register(ask):
    assert ask("GET", "subjects", scope=Scope.READ)[0] == 200
    assert ask("GET", "subjects", scope=Scope.INGEST)[0] == 200
    assert ask("GET", "subjects", scope=None)[0] == 401
    assert ask("POST", "subjects/a/versions", sent(ORDER), scope=Scope.READ)[0] == 403
    assert ask("POST", "subjects/a/versions", sent(ORDER), scope=None)[0] == 401


def test_a_token_may_be_the_password_of_basic_authentication(client):
    import base64

    login = base64.b64encode(f"any:{create_token('t', Scope.READ)}".encode()).decode()
    assert client.get("/registry/subjects", headers={"Authorization": f"Basic {login}"}).status_code == 200
