"""`manage.py schemas check` in a pipeline: exit codes, words, JUnit."""

import json
from io import StringIO
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

pytestmark = pytest.mark.django_db
OLD = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
WIDER = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "number"}}}
STRICTER = {**OLD, "required": ["id"]}


@pytest.fixture
def order_placed():
    event_type = EventType.objects.create(name="order.placed")
    SchemaVersion.objects.create(event_type=event_type, version="1", status=SchemaStatus.ACTIVE, schema=OLD)


@pytest.fixture
def check(tmp_path):
    def check(schema, *options, name="order.placed.json"):
        (tmp_path / name).write_text(schema if isinstance(schema, str) else json.dumps(schema))
        out = StringIO()
        try:
            call_command("schemas", "check", str(tmp_path / name), *options, stdout=out)
        except SystemExit as exit_:
            return exit_.code, out.getvalue()
        return 0, out.getvalue()

    return check


def test_a_schema_that_may_follow_leaves_with_0(order_placed, check):
    code, said = check(WIDER)
    assert code == 0
    assert "✓ order.placed may follow version 1 (BACKWARD)" in said
    assert '-      "type": "integer"' in said


def test_one_that_may_not_leaves_with_1_and_names_the_places(order_placed, check, tmp_path):
    code, said = check(STRICTER, "--junit", str(tmp_path / "report.xml"))
    assert code == 1
    assert "✗ order.placed breaks BACKWARD" in said
    assert "$.id: `id` is required in the new schema" in said
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert "required_attribute_added" in suite.find("testcase/failure").text


def test_the_level_can_be_given(order_placed, check):
    assert check(STRICTER, "--level", "FORWARD")[0] == 0
    assert check(WIDER, "--level", "FORWARD")[0] == 1


def test_a_file_can_be_held_against_another(check, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(OLD))
    assert check(STRICTER, "--against", str(tmp_path / "old.json"))[0] == 1


def test_a_type_that_nobody_knows_has_nothing_to_break(check):
    assert check(OLD, name="new.type.json") == (0, "✓ new.type: the first version, nothing to break\n")


def test_what_is_no_schema_leaves_with_1_and_what_is_no_json_with_2(order_placed, check):
    code, said = check({"type": "objct"})
    assert code == 1
    assert "$.type" in said
    with pytest.raises(CommandError, match="is not JSON") as refused:
        check("{")
    assert refused.value.returncode == 2


def test_what_is_exported_is_imported_as_drafts(order_placed, tmp_path):
    call_command("schemas", "export", str(tmp_path / "out"), stdout=StringIO())
    file = tmp_path / "out" / "order.placed.json"
    assert json.loads(file.read_text())["x-event-version"] == "1"
    EventType.objects.all().delete()
    call_command("schemas", "import", str(file), stdout=StringIO())
    version = SchemaVersion.objects.get()
    assert (version.event_type.name, version.version, version.status) == ("order.placed", "1", "draft")


def test_a_registry_is_imported(tmp_path):
    from tests.services.registry import RegistryServer

    registry = RegistryServer().start()
    try:
        registry.register("order.placed-value", json.dumps(OLD), "JSON")
        avro = {"type": "record", "name": "Paid", "fields": [{"name": "id", "type": "string"}]}
        registry.register("order.paid-value", json.dumps(avro))
        out = StringIO()
        call_command("schemas", "import", "--registry", registry.url, stdout=out)
    finally:
        registry.stop()
    assert "2 of 2 schemas are new" in out.getvalue()
    assert SchemaVersion.objects.get(event_type__name="order.placed").schema == OLD
    assert "Paid" in SchemaVersion.objects.get(event_type__name="order.paid").schema["$defs"]
