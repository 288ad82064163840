import io
import json
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventhub.events.envelope import Undecodable
from eventhub.events.wire_format import Registry, WireFormat
from tests.events.wire_format.framed import framed, framed_by_header, put

ORDER = {
    "type": "record",
    "name": "shop.Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "placed", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID"]}},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 3}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "either", "type": ["null", "long", "State"]},
        {"name": "lines", "type": {"type": "array", "items": {"type": "map", "values": "double"}}},
    ],
}
VALUE = {
    "id": 2**62,
    "total": Decimal("12.50"),
    "placed": datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC),
    "local": datetime(2026, 11, 24, 10, 0, 0, 250_001),
    "day": date(2026, 11, 24),
    "at": time(10, 0, 0, 250_000),
    "key": UUID("5f0c9a7e-41b2-4c8f-9a0b-0d6f1f7f8f11"),
    "state": "PAID",
    "hash": b"\x00\x01\xff",
    "note": None,
    "either": "OPEN",
    "lines": [{"a": 1.5}, {}],
}
JSON = {
    "id": 2**62,
    "total": "12.50",
    "placed": "2026-11-24T10:00:00.250000Z",
    "local": "2026-11-24T10:00:00.250001",
    "day": "2026-11-24",
    "at": "10:00:00.250000",
    "key": "5f0c9a7e-41b2-4c8f-9a0b-0d6f1f7f8f11",
    "state": "PAID",
    "hash": "AAH/",
    "note": None,
    "either": "OPEN",
    "lines": [{"a": 1.5}, {}],
}


def avro(schema, value):
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(schema), value)
    return written.getvalue()


@pytest.fixture
def wire_format(registry):
    return WireFormat(Registry(registry.url))


def opened(wire_format, message):
    return json.loads(wire_format.open(message).body)


def refusal(wire_format, message):
    with pytest.raises(Undecodable) as caught:
        wire_format.open(message)
    assert caught.value.reason.endswith(".")
    return caught.value


def test_every_type_becomes_what_it_is_in_json(registry, wire_format):
    schema_id = registry.register("orders-value", json.dumps(ORDER))
    assert opened(wire_format, framed(schema_id, avro(ORDER, VALUE))) == JSON


def test_the_schema_may_be_named_by_its_guid_in_a_header(registry, wire_format):
    schema_id = registry.register("orders-value", json.dumps(ORDER))
    assert (
        opened(wire_format, framed_by_header(registry.store.schemas[schema_id].guid, avro(ORDER, VALUE)))
        == JSON
    )


def test_what_is_not_in_wire_format_stays_as_it_is(registry, wire_format):
    came = framed(1, b"x")
    plain = type(came)(b'{"a": 1}', "t", "1", "k")
    assert wire_format.open(plain) is plain
    assert registry.requests == []


def test_a_schema_is_asked_for_once(registry, wire_format):
    schema_id = registry.register("n-value", '"long"')
    for n in range(5):
        assert opened(wire_format, framed(schema_id, avro("long", n))) == n
    assert registry.requests == [f"GET /schemas/ids/{schema_id}"]


@pytest.mark.parametrize(
    "outer", ['["null", "shop.Money"]', '"shop.Money"', '{"type": "array", "items": "shop.Money"}']
)
def test_schemas_that_refer_to_others_are_put_together(registry, wire_format, outer):
    registry.register("currency", '{"type": "enum", "name": "shop.Currency", "symbols": ["EUR", "USD"]}')
    money = {
        "type": "record",
        "name": "shop.Money",
        "fields": [{"name": "cents", "type": "long"}, {"name": "currency", "type": "Currency"}],
    }
    used = [("shop.Currency", "currency", 1)]
    registry.register("money", json.dumps(money), references=used)
    schema_id = registry.register("price-value", outer, references=[("shop.Money", "money", 1), *used])
    payload = {"[": b"\x02\x0a\x02", '"': b"\x0a\x02", "{": b"\x02\x0a\x02\x00"}[outer[0]]
    value = {"cents": 5, "currency": "USD"}
    assert opened(wire_format, framed(schema_id, payload)) == ([value] if outer[0] == "{" else value)


def test_schemas_that_refer_to_each_other_in_a_ring_are_refused_with_a_reason(registry, wire_format):
    for name, other in (("A", "B"), ("B", "A")):
        text = json.dumps({"type": "record", "name": name, "fields": [{"name": "x", "type": other}]})
        put(registry, name, text, "AVRO", (other, other, 1))
    assert refusal(wire_format, framed(1, b"")).kind == "BadSchema"


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "end too early"),
        (avro(ORDER, VALUE)[:-3], "end too early"),
        (avro(ORDER, VALUE) + b"!", "1 of them are left over"),
        (b"\xff" * 200, "do not fit"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_the_reason(registry, wire_format, payload, says):
    schema_id = registry.register("orders-value", json.dumps(ORDER))
    error = refusal(wire_format, framed(schema_id, payload))
    assert error.kind == "DoesNotFitSchema"
    assert says in error.reason


def test_a_text_that_is_not_utf8_does_not_fit(registry, wire_format):
    registry.register("s", '"string"')
    assert "utf-8" in refusal(wire_format, framed(1, b"\x02\xff")).reason


def test_a_message_nested_a_million_deep_is_refused_and_the_process_lives(registry, wire_format):
    nodes = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    schema_id = registry.register("nodes-value", json.dumps(nodes))
    assert opened(wire_format, framed(schema_id, b"\x02\x02\x00")) == {"next": {"next": {"next": None}}}
    assert "too deeply" in refusal(wire_format, framed(schema_id, b"\x02" * 1_000_000 + b"\x00")).reason


@pytest.mark.parametrize(
    "items", ['"null"', '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "null"}]}']
)
def test_six_bytes_cannot_stand_for_a_trillion_items(registry, wire_format, items):
    schema_id = registry.register("n-value", f'{{"type": "array", "items": {items}}}')
    error = refusal(wire_format, framed(schema_id, b"\x80\x80\x80\x80\x80\x80\x01\x00"))
    assert "take no bytes" in error.reason


@pytest.mark.parametrize("text", ["", "{", '"nothing"', '{"type": "record"}', "5"])
def test_a_schema_that_is_none_is_refused_with_a_reason(registry, wire_format, text):
    put(registry, "broken-value", text)
    error = refusal(wire_format, framed(1, b"x"))
    assert error.kind == "BadSchema"
    assert f"Schema 1 of the registry at {registry.url} cannot be used" in error.reason


SCHEMAS = [
    json.dumps(ORDER),
    '"double"',
    '["null", "string", {"type": "map", "values": ["long", "boolean"]}]',
    '{"type": "record", "name": "Tree", "fields": [{"name": "kids", "type": {"type": "array", "items": "Tree"}}]}',
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(range(len(SCHEMAS))), st.binary(max_size=300))
def test_no_bytes_can_make_reading_fail_in_another_way(registry, wire_format, number, payload):
    for text in SCHEMAS:
        registry.register("fuzz", text)
    with suppress(Undecodable):
        json.loads(wire_format.open(framed(number + 1, payload)).body)
