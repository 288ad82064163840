"""confluent-kafka's JSON serializer and deserializer through EventHub's own registry, over a real topic."""

import json
import time

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Kind, Source
from eventhub.events.models import Event
from eventhub.ingest.loop import SourceLoop
from eventhub.schemas.models import EventType, SchemaVersion

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ORDER = {
    "title": "OrderPlaced",
    "type": "object",
    "additionalProperties": False,
    "required": ["event_id", "event_type", "data"],
    "properties": {
        "event_id": {"type": "string"},
        "event_type": {"type": "string"},
        "data": {
            "type": "object",
            "additionalProperties": False,
            "required": ["order_id"],
            "properties": {"order_id": {"type": "integer"}},
        },
    },
}
EVENT = {"event_id": "e-1", "event_type": "order.placed", "data": {"order_id": 7}}


@pytest.fixture
def topic(kafka):
    name = f"registry-{time.time_ns()}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1)])[name].result(20)
    yield name
    admin.delete_topics([name])[name].result(20)


@pytest.fixture
def url(live_server):
    return f"{live_server.url}/registry"


def client(url, scope=Scope.CONFIGURE):
    return SchemaRegistryClient(
        {"url": url, "basic.auth.user.info": f"eventhub:{create_token(scope, scope)}"}
    )


def test_register_check_and_read(kafka, topic, url):
    registry = client(url)
    subject = f"{topic}-value"
    context = SerializationContext(topic, MessageField.VALUE)

    # A producer registers its schema with its first message.
    serialize = JSONSerializer(json.dumps(ORDER), registry)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, serialize(EVENT, context))
    assert producer.flush(20) == 0
    latest = registry.get_latest_version(subject)
    assert json.loads(latest.schema.schema_str) == ORDER
    assert registry.get_subjects() == [subject]

    # A consumer with a token that may only read finds the schema by the id in the message.
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    assert message.value()[:5] == b"\x00" + latest.schema_id.to_bytes(4, "big")
    deserialize = JSONDeserializer(None, schema_registry_client=client(url, Scope.READ))
    assert deserialize(message.value(), context) == EVENT

    # A schema that events of the first do not fit is told beforehand, and refused.
    stricter = json.loads(json.dumps(ORDER))
    stricter["properties"]["data"]["required"].append("customer_id")
    stricter["properties"]["data"]["properties"]["customer_id"] = {"type": "string"}
    assert not registry.test_compatibility(subject, Schema(json.dumps(stricter), "JSON"))
    with pytest.raises(SchemaRegistryError, match=r"\$\.customer_id") as refused:
        JSONSerializer(json.dumps(stricter), registry)(
            {**EVENT, "data": {"order_id": 7, "customer_id": "c"}}, context
        )
    assert refused.value.http_status_code == 409

    # One that they do fit is the next version.
    stricter["properties"]["data"]["required"].remove("customer_id")
    assert registry.test_compatibility(subject, Schema(json.dumps(stricter), "JSON"))
    JSONSerializer(json.dumps(stricter), registry)(EVENT, context)
    assert registry.get_versions(subject) == [1, 2]
    assert registry.set_compatibility(subject, level="FULL")["compatibility"] == "FULL"
    assert registry.get_compatibility(subject) == "FULL"


def test_a_schema_that_refers_to_another_subject_is_registered_and_read(url):
    registry = client(url)
    street = {"$id": "street.json", "type": "string", "minLength": 1}
    address = {"type": "object", "properties": {"street": {"$ref": "street.json"}}}
    registry.register_schema("street", Schema(json.dumps(street), "JSON"))
    refers = Schema(json.dumps(address), "JSON", [SchemaReference("street.json", "street", 1)])
    context = SerializationContext("moved", MessageField.VALUE)
    body = JSONSerializer(refers, registry)({"street": "Main"}, context)
    with pytest.raises(SerializationError):
        JSONSerializer(refers, registry)({"street": ""}, context)
    latest = registry.get_latest_version("moved-value")
    assert [one.subject for one in latest.schema.references] == ["street"]
    reads = JSONDeserializer(None, schema_registry_client=client(url, Scope.READ))
    assert reads(body, context) == {"street": "Main"}
    held = SchemaVersion.objects.get(event_type__name="moved").schema
    assert held["properties"]["street"] == {"$ref": "#/$defs/street.json"}


def test_a_schema_that_a_producer_registers_is_enforced_by_ingest(kafka, topic, url):
    registry = client(url)
    context = SerializationContext(topic, MessageField.VALUE)
    named = {**ORDER, "x-event-type": "order.placed"}
    serialize = JSONSerializer(json.dumps(named), registry, conf={"auto.register.schemas": True})
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, serialize(EVENT, context))
    # Another producer knows nothing of schemas.
    producer.produce(topic, json.dumps({**EVENT, "event_id": "e-2", "data": {"order_id": "seven"}}))
    assert producer.flush(20) == 0
    EventType.objects.filter(name="order.placed").update(validation="enforce")
    assert SchemaVersion.objects.get().schema == ORDER["properties"]["data"]

    config = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "topics": [topic],
        "group": f"{topic}.eventhub",
        "registry_url": url,
        "registry_username": "eventhub",
        "registry_password": create_token("ingest", Scope.READ),
    }
    source = Source.objects.create(name=topic, kind=Kind.KAFKA, config=config)
    loop = SourceLoop(source, "ingest@test")
    loop.start()
    try:
        from dlq.models import DeadLetter

        deadline = time.monotonic() + 40
        while Event.objects.count() + DeadLetter.objects.count() < 2:
            assert time.monotonic() < deadline, loop.last_error
            time.sleep(0.1)
    finally:
        loop.stop()
        assert loop.join(30)
    assert Event.objects.get().event_id == "e-1"
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.event_id) == ("invalid", "e-2")
    assert "$.order_id" in letter.error_message
