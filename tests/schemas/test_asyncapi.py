"""The catalogue as AsyncAPI 3.0, checked by AsyncAPI's own parser; and documents of others read in."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from eventhub.catalogue.exporting import asyncapi_document
from eventhub.schemas.importing import BadImport, keep, read
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

pytestmark = pytest.mark.django_db
MONEY = {"type": "object", "properties": {"amount": {"type": "integer"}}}
ORDER = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "total": {"$ref": "#/$defs/money"}},
    "$defs": {"money": MONEY},
}
PARSE = """
const { Parser } = require("@asyncapi/parser");
let text = ""; process.stdin.on("data", (part) => (text += part)).on("end", async () => {
  const { diagnostics, document } = await new Parser().parse(text);
  console.log(JSON.stringify({ parsed: !!document, found: diagnostics.filter((d) => d.severity === 0) }));
});
"""


@pytest.fixture
def catalogue():
    order = EventType.objects.create(
        name="order.placed", description="A customer has ordered.", owner="Storefront"
    )
    for version in ("1", "2"):
        SchemaVersion.objects.create(
            event_type=order, version=version, status=SchemaStatus.ACTIVE, schema=ORDER
        )
    EventType.objects.create(name="cart/emptied now", docs_url="https://docs.example/cart")


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    """AsyncAPI's parser from npm, in a folder that stays between runs when PARSER_DIR names one."""
    folder = Path(os.environ.get("PARSER_DIR") or tmp_path_factory.mktemp("asyncapi"))
    if shutil.which("npm") is None:
        pytest.skip("no npm: install Node.js")
    if not (folder / "node_modules/@asyncapi/parser").exists():
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "@asyncapi/parser@3"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"npm cannot fetch @asyncapi/parser: {done.stderr[-300:]}")

    def parse(document):
        done = subprocess.run(
            ["node", "-e", PARSE],
            cwd=folder,
            input=json.dumps(document),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return parse


@pytest.mark.slow
def test_asyncapis_own_parser_finds_no_error_in_the_export(catalogue, parser):
    assert parser(asyncapi_document()) == {"parsed": True, "found": []}
    broken = asyncapi_document()
    del broken["info"]
    assert parser(broken)["found"]  # it does find errors


def test_every_active_version_is_a_message_of_its_types_channel(catalogue):
    made = asyncapi_document()
    assert made["asyncapi"] == "3.0.0"
    assert list(made["channels"]["order.placed"]["messages"]) == ["order.placed_v1", "order.placed_v2"]
    assert made["components"]["schemas"]["order.placed_v1"]["properties"]["total"] == {
        "$ref": "#/components/schemas/order.placed_v1/$defs/money"
    }
    assert made["channels"]["cart_emptied_now"]["address"] == "cart/emptied now"


def test_what_was_exported_is_read_in_again(catalogue):
    found = read(json.dumps(asyncapi_document(["order.placed"])), "")
    assert [(one.event_type, one.version) for one in found] == [("order.placed", "1"), ("order.placed", "2")]
    schema = found[0].schema
    assert (schema["type"], schema["required"]) == ("object", ["id"])
    EventType.objects.all().delete()
    kept = keep(found)
    assert [(one.event_type.name, one.status) for one in kept] == [
        ("order.placed", "draft")
    ]  # both are alike
    assert keep(found) == []


def test_asyncapi_2_is_read():
    document = {
        "asyncapi": "2.6.0",
        "channels": {
            "orders": {
                "publish": {
                    "message": {
                        "oneOf": [
                            {"name": "order.placed", "payload": {"$ref": "#/components/schemas/order"}},
                            {"$ref": "#/components/messages/paid"},
                        ]
                    }
                }
            }
        },
        "components": {
            "schemas": {"order": MONEY},
            "messages": {"paid": {"name": "order.paid", "payload": {}}},
        },
    }
    assert [(one.event_type, one.schema.get("type")) for one in read(json.dumps(document), "")] == [
        ("order.placed", "object"),
        ("order.paid", None),
    ]


def test_avro_is_read_as_json_schema():
    avro = {
        "type": "record",
        "name": "shop.Order",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "note", "type": ["null", "string"]},
            {
                "name": "status",
                "type": {"type": "enum", "name": "Status", "symbols": ["A", "B"]},
                "default": "A",
            },
            {"name": "next", "type": ["null", "Order"]},
        ],
    }
    schema = read(json.dumps(avro), "order.placed")[0].schema
    order = schema["$defs"]["shop.Order"]
    assert order["properties"]["at"] == {"type": "string", "format": "date-time"}
    assert order["properties"]["note"] == {"oneOf": [{"type": "null"}, {"type": "string"}]}
    assert order["properties"]["next"]["oneOf"][1] == {"$ref": "#/$defs/shop.Order"}
    assert schema["$defs"]["shop.Status"] == {"enum": ["A", "B"]}
    assert keep(read(json.dumps(avro), "order.placed"))[0].status == "draft"


def test_a_json_schema_can_name_its_type():
    assert read(json.dumps({"x-event-type": "a.b", "x-event-version": 3}), "file")[0].event_type == "a.b"
    assert read('{"type": "object"}', "file")[0].event_type == "file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("7", "neither"),
        ('{"asyncapi": "1.0.0", "channels": {}}', "not read"),
        ('[{"type": "record", "name": "a", "fields": [{"name": "x", "type": "Nothing"}]}]', "not defined"),
        ('{"asyncapi": "3.0.0", "channels": {"a": {"$ref": "#/nothing"}}}', "leads to nothing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text, said):
    with pytest.raises(BadImport, match=said):
        read(text, "x")
