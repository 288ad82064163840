"""CloudEvents through a real topic: what a producer writes by the Kafka binding is what is read."""

import json
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.reading import reader_of
from tests.events.cloudevents.attributes import DATA, REQUIRED, ROWS

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def through_kafka(kafka):
    """Publishes records (key, value, headers) and returns the messages that the adapter delivers, in their order."""
    servers, name = kafka.bootstrap_servers, f"ce-{time.time_ns()}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, 1)])[name].result(20)
    source = Source(name=name, kind=Kind.KAFKA, config={"bootstrap_servers": servers, "topics": [name]})

    def send(records):
        producer = Producer({"bootstrap.servers": servers})
        for key, value, headers in records:
            producer.produce(name, value, key, headers=headers)
        assert producer.flush(20) == 0
        adapter = open_adapter(source, "test")
        try:
            taken = []
            deadline = time.monotonic() + 30
            while len(taken) < len(records):
                assert time.monotonic() < deadline, f"{len(taken)} of {len(records)} records came"
                taken += adapter.poll(1000, 0.5)
            return source, taken
        finally:
            adapter.close()

    yield send
    admin.delete_topics([name])[name].result(20)


def test_every_attribute_in_binary_and_in_structured_mode(through_kafka):
    records = []
    for row in ROWS:
        attributes = REQUIRED | {row.attribute: row.text}
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        records.append((b"k", b"{}", [*headers, ("content-type", b"application/json")]))
        value = row.text if row.in_json is None else row.in_json
        body = json.dumps(REQUIRED | {row.attribute: value, "data": {}}).encode()
        records.append((b"k", body, [("Content-Type", b"application/cloudevents+json; charset=UTF-8")]))
    source, messages = through_kafka(records)
    read = reader_of(source).read
    for row, binary, structured in zip(ROWS, messages[::2], messages[1::2], strict=True):
        for message in (binary, structured):
            event = read(message)
            assert json.loads(event.metadata)[row.attribute] == row.text
            assert event.data == "{}"
            assert message.key == "k"
            if row.field:
                assert getattr(event, row.field) == row.expected


def test_every_kind_of_data_and_none(through_kafka):
    headers = [(f"ce_{name}", value.encode()) for name, value in REQUIRED.items()]
    records = [(None, body, [*headers, ("content-type", kind.encode())]) for kind, body, _ in DATA]
    source, messages = through_kafka([*records, (b"k", None, headers)])
    read = reader_of(source).read
    assert [read(message).data for message in messages] == [*(data for _, _, data in DATA), "null"]
    assert read(messages[-1]).event_type == "order.placed"  # an event without data, no tombstone
