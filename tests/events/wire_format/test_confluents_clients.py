"""What Confluent's own serializers write, read back: the framing as producers have it in practice."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from eventhub.events.reading import Reader
from eventhub.events.wire_format import Registry, WireFormat
from eventhub.events.wire_text import to_text
from tests.events.wire_format.framed import message

pytest.importorskip(
    "confluent_kafka.schema_registry", reason="confluent-kafka[schemaregistry] is not installed"
)
from confluent_kafka.schema_registry import (
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.type_pb2 import Field, Type

IN_HEADER = {"schema.id.serializer": header_schema_id_serializer}
ENVELOPE = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_type", "type": "string"},
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "data", "type": "shop.Order"},
    ],
}
ORDER = {
    "type": "record",
    "name": "shop.Order",
    "fields": [
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "note", "type": ["null", "string"]},
    ],
}


@pytest.fixture(params=[{}, IN_HEADER], ids=["id in front", "GUID in a header"])
def where(request):
    return request.param


@pytest.fixture
def client(registry):
    return SchemaRegistryClient({"url": registry.url})


@pytest.fixture
def reader(registry):
    return Reader(wire_format=WireFormat(Registry(registry.url)))


def written(serializer: Any, value: Any):
    headers: list[tuple[str, bytes]] = []
    body = serializer(value, SerializationContext("orders", MessageField.VALUE, headers))
    return message(body, headers={name.lower(): to_text(raw) for name, raw in headers})


def test_avro_with_a_reference(client, reader, where):
    client.register_schema("order", Schema(json.dumps(ORDER), "AVRO"))
    schema = Schema(json.dumps(ENVELOPE), "AVRO", [SchemaReference("shop.Order", "order", 1)])
    serializer = AvroSerializer(client, schema, conf=where)
    event = reader.read(
        written(
            serializer,
            {
                "event_id": "e-1",
                "event_type": "order.placed",
                "timestamp": datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
                "data": {"total": Decimal("12.50"), "note": None},
            },
        )
    )
    assert (event.event_id, event.event_type) == ("e-1", "order.placed")
    assert event.occurred_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert json.loads(event.data) == {"total": "12.50", "note": None}


def test_protobuf_with_imports_and_a_message_that_is_not_the_first(client, reader, where):
    """google/protobuf/type.proto stands in for a service's own: it has imports, enums and several messages."""
    serializer = ProtobufSerializer(
        Field, client, conf={"use.deprecated.format": False, "skip.known.types": False} | where
    )
    came = written(serializer, Field(kind=Field.TYPE_INT64, name="id", json_name="orderId"))
    assert json.loads(reader.open(came).body) == {
        "kind": "TYPE_INT64",
        "cardinality": "CARDINALITY_UNKNOWN",
        "number": 0,
        "name": "id",
        "typeUrl": "",
        "oneofIndex": 0,
        "packed": False,
        "options": [],
        "jsonName": "orderId",
        "defaultValue": "",
    }
    serializer = ProtobufSerializer(Type, client, conf={"use.deprecated.format": False} | where)
    assert json.loads(reader.open(written(serializer, Type(name="Order"))).body)["name"] == "Order"


def test_protobuf_of_a_well_known_type(client, reader, where):
    serializer = ProtobufSerializer(Timestamp, client, conf={"use.deprecated.format": False} | where)
    assert reader.open(written(serializer, Timestamp(seconds=1795514400))).body == b'"2026-11-24T10:00:00Z"'


def test_json_with_a_schema(client, reader, where):
    schema = {"title": "Event", "type": "object", "properties": {"event_type": {"type": "string"}}}
    serializer = JSONSerializer(json.dumps(schema), client, conf=where)
    assert reader.read(written(serializer, {"event_type": "order.placed"})).event_type == "order.placed"
