"""The brokers that the conformance suite runs over: what a test needs to know of each, and nothing more.

A broker joins by a class here and its name in `BROKERS`.
"""

import time
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import kombu
import pytest
import redis
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from django.conf import settings

from eventhub.brokers.models import Kind, Source
from tests.services.elasticmq import REGION, SqsAddress

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType


class UnderTest:
    """One broker: a source with an empty topic (queue, stream) of its own, and what the broker is able to keep."""

    kind: ClassVar[Kind]
    # A body that only a broker of its kind keeps: any bytes, where it carries more than text.
    odd_body: ClassVar[bytes] = b"\x00\xff{}"
    # Whether these come back as they were published.
    keeps_keys: ClassVar[bool] = True
    keeps_header_bytes: ClassVar[bool] = True
    keeps_repeated_headers: ClassVar[bool] = True
    # Whether what was published with one key is read in that order, and all of it before any is acknowledged.
    keeps_order: ClassVar[bool] = True
    reads_ahead: ClassVar[bool] = True
    # How many messages of one key a test can wait for.
    many: ClassVar[int] = 3_000
    # Whether publishing to a topic that is not there is refused, rather than making it.
    refuses_unknown_topics: ClassVar[bool] = True
    # Whether a peek can begin at the end; a queue only has a beginning.
    knows_the_newest: ClassVar[bool] = True
    # The largest body that the broker takes as it is set up here.
    largest_body: ClassVar[int] = 900_000
    # Part of the config that leads to a port where nobody listens.
    nobody: ClassVar[dict[str, Any]]

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.name = f"t-{uuid4().hex[:8]}"
        self.topic = self.topic_of("orders")
        self.source = Source(name=self.name, kind=self.kind, config=self.set_up(request))

    def topic_of(self, name: str) -> str:
        """A topic of this test's own, by a name that the broker allows."""
        return f"{self.name}.{name}"

    def set_up(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        """Make the topic; the config of a source that reads it."""
        raise NotImplementedError

    def tear_down(self) -> None:
        """Leave nothing behind."""


class RedisUnderTest(UnderTest):
    kind = Kind.REDIS
    keeps_keys = False
    keeps_header_bytes = False
    keeps_repeated_headers = False
    refuses_unknown_topics = False
    nobody = {"url": "redis://127.0.0.1:1/0"}

    def set_up(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        self.client = redis.Redis.from_url(settings.REDIS_URL)
        return {"streams": [self.topic]}

    def tear_down(self) -> None:
        self.client.delete(self.topic)
        self.client.close()


def make_topic(admin: AdminClient, name: str, partitions: int = 1, **config: str) -> None:
    """Make a topic and wait until it can be used: its maker knows of it before the brokers do."""
    admin.create_topics([NewTopic(name, partitions, config=config)])[name].result(20)
    deadline = time.monotonic() + 20
    while True:
        try:
            admin.describe_topics(TopicCollection([name]))[name].result(20)
        except KafkaException:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


class KafkaUnderTest(UnderTest):
    kind = Kind.KAFKA
    nobody = {"bootstrap_servers": "127.0.0.1:1"}

    def set_up(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        servers = request.getfixturevalue("kafka").bootstrap_servers
        self.admin = AdminClient({"bootstrap.servers": servers})
        make_topic(self.admin, self.topic)
        return {"bootstrap_servers": servers, "topics": [self.topic]}

    def tear_down(self) -> None:
        self.admin.delete_topics([self.topic])[self.topic].result(20)


class SqsUnderTest(UnderTest):
    kind = Kind.SQS
    odd_body = '{"é": "\U0001f6d2"}\t\r\n'.encode()
    knows_the_newest = False
    keeps_keys = False
    keeps_repeated_headers = False
    keeps_order = False
    attributes: ClassVar["dict[QueueAttributeNameType, str]"] = {}
    nobody = {"endpoint_url": "http://127.0.0.1:1"}

    def topic_of(self, name: str) -> str:
        return f"{self.name}-{name}"

    def set_up(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        address: SqsAddress = request.getfixturevalue("sqs")
        self.client = address.client()
        self.url = self.client.create_queue(QueueName=self.topic, Attributes=self.attributes)["QueueUrl"]
        return {
            "queues": [self.topic],
            "endpoint_url": address.endpoint_url,
            "region": REGION,
            "access_key_id": "tests",
            "secret_access_key": "tests",
        }

    def tear_down(self) -> None:
        self.client.delete_queue(QueueUrl=self.url)


class SqsFifoUnderTest(SqsUnderTest):
    keeps_order = True
    # A message is only given out when those of its group before it are acknowledged; ten come together.
    reads_ahead = False
    many = 300
    attributes = {"FifoQueue": "true"}

    def topic_of(self, name: str) -> str:
        return f"{self.name}-{name}.fifo"


class RabbitmqUnderTest(UnderTest):
    kind = Kind.RABBITMQ
    keeps_keys = False  # they are routing keys, and here they name the queue
    knows_the_newest = False
    nobody = {"url": "amqp://127.0.0.1:1/"}
    queue_type: ClassVar[str] = "classic"

    def set_up(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        address = request.getfixturevalue("rabbitmq")
        self.connection = kombu.Connection(address.url)
        self.connection.default_channel.queue_declare(
            self.topic, durable=True, auto_delete=False, arguments={"x-queue-type": self.queue_type}
        )
        return {"url": address.url, "queue": self.topic, "management_url": address.management_url}

    def tear_down(self) -> None:
        self.connection.default_channel.queue_delete(self.topic)
        self.connection.release()


class RabbitmqQuorumUnderTest(RabbitmqUnderTest):
    queue_type = "quorum"


BROKERS: dict[str, type[UnderTest]] = {
    "redis": RedisUnderTest,
    "kafka": KafkaUnderTest,
    "sqs": SqsUnderTest,
    "sqs-fifo": SqsFifoUnderTest,
    "rabbitmq": RabbitmqUnderTest,
    "rabbitmq-quorum": RabbitmqQuorumUnderTest,
}
