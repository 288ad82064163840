"""Schemas that refer to schemas of other subjects: registered, checked, compared, given back, imported, exported."""

import json

import pytest
from django.core.management import call_command

from eventhub.access.models import Scope
from eventhub.catalogue.exporting import asyncapi_document
from eventhub.schemas.bundling import bundled
from eventhub.schemas.importing import read
from eventhub.schemas.models import SchemaVersion
from eventhub.schemas.validation import compile_schema, explain
from tests.access.people import browser, script

pytestmark = pytest.mark.django_db
COUNTRY = {"enum": ["DE", "FR"]}
ADDRESS = {
    "type": "object",
    "required": ["street"],
    "properties": {"street": {"$ref": "#/$defs/text"}, "country": {"$ref": "country.json"}},
    "$defs": {"text": {"type": "string", "minLength": 1}},
}
ORDER = {
    "type": "object",
    "properties": {"to": {"$ref": "address.json"}, "note": {"$ref": "address.json#/$defs/text"}},
}


def ask(method, path, body=None):
    answer = browser().generic(
        method,
        f"/registry/{path}",
        json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers=script(Scope.CONFIGURE),
    )
    return answer.status_code, answer.json()


def sent(schema, *references):
    told = [{"name": name, "subject": subject, "version": version} for name, subject, version in references]
    return {"schemaType": "JSON", "schema": json.dumps(schema), "references": told}


@pytest.fixture
def registered():
    assert ask("POST", "subjects/country/versions", sent(COUNTRY))[0] == 200
    address = sent(ADDRESS, ("country.json", "country", 1))
    assert ask("POST", "subjects/address/versions", address)[0] == 200
    status, told = ask("POST", "subjects/order.placed/versions", sent(ORDER, ("address.json", "address", 1)))
    assert status == 200, told
    return told


def test_events_are_checked_through_references_of_references(registered):
    schema = SchemaVersion.objects.get(event_type__name="order.placed").schema
    validator = compile_schema(schema)
    assert explain(validator, {"to": {"street": "Main", "country": "DE"}, "note": "x"}) == []
    wrong = explain(validator, {"to": {"street": "", "country": "XX"}, "note": ""})
    assert sorted(line.split(":")[0] for line in wrong) == ["$.note", "$.to.country", "$.to.street"]


def test_clients_get_back_what_they_registered(registered):
    _, told = ask("GET", f"schemas/ids/{registered['id']}")
    assert json.loads(told["schema"]) == ORDER
    assert told["references"] == [{"name": "address.json", "subject": "address", "version": 1}]
    _, version = ask("GET", "subjects/order.placed/versions/latest")
    assert version["references"] == told["references"]
    body = sent(ORDER, ("address.json", "address", 1))
    assert ask("POST", "subjects/order.placed", body)[1]["id"] == registered["id"]
    assert ask("POST", "subjects/order.placed/versions", body)[1]["version"] == 1


def test_what_refers_to_a_version_is_told_and_keeps_it(registered):
    assert ask("GET", "subjects/address/versions/1/referencedby") == (200, [registered["id"]])
    status, told = ask("DELETE", "subjects/address/versions/1")
    assert (status, told["error_code"]) == (422, 42206)
    assert ask("DELETE", "subjects/order.placed/versions/1")[0] == 200
    assert ask("GET", "subjects/order.placed/versions/1/referencedby") == (200, [])


def test_a_change_behind_a_reference_breaks_what_refers_to_it(registered):
    assert ask("PUT", "config/country", {"compatibility": "NONE"})[0] == 200
    assert ask("POST", "subjects/country/versions", sent({"enum": ["DE"]}))[1]["version"] == 2
    assert ask("PUT", "config/address", {"compatibility": "NONE"})[0] == 200
    ask("POST", "subjects/address/versions", sent(ADDRESS, ("country.json", "country", 2)))
    newer = sent(ORDER, ("address.json", "address", 2))
    _, verdict = ask("POST", "compatibility/subjects/order.placed/versions?verbose=true", newer)
    assert not verdict["is_compatible"]
    assert "$.to.country" in verdict["messages"][0]
    assert ask("POST", "subjects/order.placed/versions", newer)[0] == 409


def test_a_reference_to_nothing_says_what_to_register_first():
    status, told = ask("POST", "subjects/order.placed/versions", sent(ORDER, ("address.json", "address", 1)))
    assert status == 422
    assert "Register that first" in told["message"]


def test_documents_of_the_catalogue_stand_alone(registered):
    text = json.dumps(asyncapi_document())
    assert "address.json#" not in text
    assert '"$ref": "address.json"' not in text
    (found,) = [one for one in read(text, "") if one.event_type == "order.placed"]
    assert explain(compile_schema(found.schema), {"to": {"street": ""}, "note": "x"})


def test_files_refer_to_files_beside_them(registered, tmp_path, capsys):
    for name, schema in (("address", ADDRESS), ("country", COUNTRY), ("order.placed", ORDER)):
        (tmp_path / f"{name}.json").write_text(json.dumps(schema))
    call_command("schemas", "check", str(tmp_path / "order.placed.json"))
    (tmp_path / "country.json").write_text('{"enum": ["DE"]}')
    with pytest.raises(SystemExit):
        call_command("schemas", "check", str(tmp_path / "order.placed.json"))
    assert "$.to.country" in capsys.readouterr().out


def test_schemas_that_refer_to_each_other_in_a_circle_are_made_whole():
    others = {"a": {"properties": {"b": {"$ref": "b"}}}, "b": {"properties": {"a": {"$ref": "a"}}}}
    made = bundled({"$ref": "a"}, others)
    assert explain(compile_schema(made), {"b": {"a": {"b": {}}}}) == []
    assert made["$defs"].keys() == {"a", "b"}


def test_relative_references_are_relative_to_the_schema_s_id():
    order = {
        "$id": "https://x.example/order.json",
        "properties": {"to": {"$ref": "address.json#/$defs/text"}},
    }
    made = bundled(order, {"https://x.example/address.json": {"$defs": {"text": {"type": "string"}}}})
    assert explain(compile_schema(made), {"to": 1}) == ['$.to: 1 is not of type "string"']
