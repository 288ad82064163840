"""CloudEvents through a real exchange: what a publisher sends by the AMQP binding becomes an event in the store."""

import json

import pytest

from dlq.models import DeadLetter
from eventhub.brokers.models import Kind, Source
from eventhub.events.models import Event
from eventhub.ingest.pipeline import Pipeline
from tests.events.cloudevents.attributes import REQUIRED, TRACE
from tests.integration.rabbitmq.conftest import take

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ATTRIBUTES = REQUIRED | {
    "time": "2026-11-24T10:00:00Z",
    "subject": "orders/8412",
    "traceparent": f"00-{TRACE}-b9c7c989f97918e1-01",
    "causationid": "checkout-7",
}
DATA = {"order_id": 8412, "name": "Jürgen"}


def test_a_cloudevent_in_binary_and_in_structured_mode_becomes_an_event_row(rabbit, reader):
    rabbit.exchange("orders")
    source = Source.objects.create(
        name=rabbit.virtual_host, kind=Kind.RABBITMQ, config={"url": rabbit.url, "exchange": "orders"}
    )
    adapter, pipeline = reader(source), Pipeline(source)
    adapter.poll(1, 0.2)  # the tap's queue is there now
    data = json.dumps(DATA)
    for n, prefix in enumerate(("cloudEvents:", "cloudEvents_")):
        headers = {f"{prefix}{name}": value for name, value in (ATTRIBUTES | {"id": f"binary-{n}"}).items()}
        rabbit.publish(data.encode(), "orders", "order.placed", headers, content_type="application/json")
    structured = json.dumps(ATTRIBUTES | {"id": "structured", "data": DATA}).encode()
    rabbit.publish(
        structured, "orders", "order.placed", content_type="application/cloudevents+json; charset=utf-8"
    )

    messages = take(adapter, 3)
    pipeline.write(pipeline.prepare(messages))
    adapter.acknowledge(messages)

    rows = {row.event_id: row for row in Event.objects.filter(origin_id=source.pk)}
    assert sorted(rows) == ["binary-0", "binary-1", "structured"]
    for row in rows.values():
        assert (row.event_type, row.source, row.stream) == ("order.placed", "/shop", "orders/8412")
        assert (row.correlation_id, row.causation_id) == (TRACE, "checkout-7")
        assert row.occurred_at.isoformat() == "2026-11-24T10:00:00+00:00"
        assert row.data == DATA
    assert not DeadLetter.objects.exists()
