"""Avro, Protobuf and JSON Schema from a real topic through a registry to rows, by the loop that workers run."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from dlq.models import DeadLetter
from eventhub.brokers.models import Kind, Source, State
from eventhub.events.models import Event
from eventhub.ingest.loop import SourceLoop

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ORDER = """{"type": "record", "name": "shop.Order", "fields": [
    {"name": "event_type", "type": "string"},
    {"name": "event_id", "type": "string"},
    {"name": "data", "type": {"type": "record", "name": "Data", "fields": [
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}
    ]}}
]}"""


class Topic:
    """A topic of the test's own, and the source that reads it."""

    def __init__(self, servers: str, name: str, registry_url: str) -> None:
        self.name = name
        self.admin = AdminClient({"bootstrap.servers": servers})
        self.admin.create_topics([NewTopic(name, 1)])[name].result(20)
        self.producer = Producer({"bootstrap.servers": servers})
        config = {
            "bootstrap_servers": servers,
            "topics": [name],
            "group": f"{name}.eventhub",
            "registry_url": registry_url,
        }
        self.source = Source.objects.create(name=name, kind=Kind.KAFKA, config=config)

    def publish(self, value: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        self.producer.produce(self.name, value, headers=headers or [])
        assert self.producer.flush(20) == 0

    def close(self) -> None:
        self.admin.delete_topics([self.name])[self.name].result(20)


@pytest.fixture
def topic(kafka, registry, request):
    made = Topic(kafka.bootstrap_servers, f"wire-{time.time_ns()}", registry.url)
    yield made
    made.close()


@pytest.fixture
def loop(topic):
    running = SourceLoop(topic.source, "ingest@test")
    running.start()
    yield running
    running.stop()
    assert running.join(30)


def wait_for(condition: Any, what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


def avro(n: int) -> bytes:
    return b"\x00\x00\x00\x00\x01\x18order.placed\x06e-%d\x04\x04\xe2" % n


def test_a_registry_that_goes_away_stops_the_source_and_makes_no_dead_letters(topic, registry, loop):
    registry.register("orders-value", ORDER)
    topic.publish(avro(1))
    wait_for(lambda: Event.objects.count() == 1, f"the first event; {loop.last_error}")

    registry.stop()
    registry.register("other-value", ORDER.replace("shop.Order", "shop.Other"))
    topic.publish(avro(2))  # its schema is known already
    topic.publish(avro(3).replace(b"\x00\x01", b"\x00\x02", 1))
    wait_for(
        lambda: loop.state is State.FAILING and "schema registry" in loop.last_error, "the loop to say so"
    )
    assert DeadLetter.objects.count() == 0

    registry.start()
    wait_for(lambda: Event.objects.count() == 3, f"the others; {loop.last_error}")
    assert {event.data["total"] for event in Event.objects.all()} == {"12.50"}
    assert DeadLetter.objects.count() == 0


def test_what_is_the_fault_of_a_message_is_its_dead_letter_and_holds_up_nothing(topic, registry, loop):
    registry.register("orders-value", ORDER)
    topic.publish(b"\x00\x00\x00\x00\x07unknown")
    topic.publish(avro(1)[:-2])
    topic.publish(avro(1))
    wait_for(lambda: Event.objects.count() == 1, f"the event; {loop.last_error}")
    wait_for(lambda: DeadLetter.objects.count() == 2, "the letters")
    letters = DeadLetter.objects.order_by("offset")
    assert [letter.error_class for letter in letters] == ["UnknownSchema", "DoesNotFitSchema"]
    assert bytes(letters[1].body) == avro(1)[:-2]


def test_what_confluents_producers_write_becomes_rows(topic, registry, loop):
    pytest.importorskip(
        "confluent_kafka.schema_registry", reason="confluent-kafka[schemaregistry] is not installed"
    )
    from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
    from confluent_kafka.schema_registry.avro import AvroSerializer
    from confluent_kafka.schema_registry.json_schema import JSONSerializer
    from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
    from confluent_kafka.serialization import MessageField, SerializationContext
    from google.protobuf.struct_pb2 import Struct

    client = SchemaRegistryClient({"url": registry.url})

    def publish(serializer: Any, value: Any) -> None:
        headers: list[tuple[str, bytes]] = []
        topic.publish(
            serializer(value, SerializationContext(topic.name, MessageField.VALUE, headers)), headers
        )

    order = {"event_type": "order.placed", "data": {"total": Decimal("12.50")}}
    in_header = {"schema.id.serializer": header_schema_id_serializer}
    publish(AvroSerializer(client, ORDER), order | {"event_id": "avro"})
    publish(AvroSerializer(client, ORDER, conf=in_header), order | {"event_id": "avro-header"})
    schema = json.dumps({"title": "Order", "type": "object"})
    subject = {"subject.name.strategy": lambda *_: "json"}
    publish(JSONSerializer(schema, client, conf=subject), {"event_type": "order.placed", "event_id": "json"})
    message = Struct()
    message.update(
        {"event_type": "order.placed", "event_id": "protobuf", "timestamp": "2026-11-24T10:00:00Z"}
    )
    conf = {"use.deprecated.format": False, "subject.name.strategy": lambda *_: "protobuf"}
    publish(ProtobufSerializer(Struct, client, conf=conf), message)

    wait_for(lambda: Event.objects.count() == 4, f"the events; {loop.last_error}")
    assert {event.event_id for event in Event.objects.all()} == {"avro", "avro-header", "json", "protobuf"}
    assert Event.objects.get(event_id="avro").data == {"total": "12.50"}
    assert Event.objects.get(event_id="protobuf").occurred_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert DeadLetter.objects.count() == 0
