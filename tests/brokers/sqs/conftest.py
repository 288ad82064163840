from uuid import uuid4

import pytest

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Source
from tests.brokers.sqs.door import Door
from tests.services.elasticmq import REGION


@pytest.fixture
def client(sqs):
    return sqs.client()


@pytest.fixture
def queue(client):
    """Makes a queue of its own name; gone after the test."""
    urls = []

    def make(suffix="", **attributes):
        name = f"t-{uuid4().hex[:8]}{suffix}"
        if suffix.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        urls.append(client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        return name

    yield make
    for url in urls:
        client.delete_queue(QueueUrl=url)


@pytest.fixture
def source(sqs):
    """Makes a source that reads these queues."""

    def make(*queues, **config):
        return Source(
            name=f"t-{uuid4().hex[:8]}",
            kind=Kind.SQS,
            config={
                "queues": list(queues),
                "endpoint_url": sqs.endpoint_url,
                "region": REGION,
                "access_key_id": "tests",
                "secret_access_key": "tests",
            }
            | config,
        )

    return make


@pytest.fixture
def reader(source):
    """Opens adapters, and closes them after the test."""
    opened = []

    def open_one(*queues, **config):
        opened.append(open_adapter(source(*queues, **config)))
        return opened[-1]

    yield open_one
    for adapter in opened:
        adapter.close()


@pytest.fixture
def door(sqs):
    with Door(sqs.endpoint_url).opened() as door:
        yield door
