"""Which of the shop's topics live on Kafka, RabbitMQ and SQS, and what must be there.

``DEMO_BROKERS`` names those that run; what it does not name stays on Redis Streams. Addresses are found in the
environment: ``KAFKA_BOOTSTRAP_SERVERS``, ``RABBITMQ_URL``, ``SQS_ENDPOINT_URL`` (with ``AWS_REGION`` and credentials in
AWS's usual ways).
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kombu import Connection, Exchange
from kombu.exceptions import OperationalError

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message, OutgoingMessage

log = logging.getLogger(__name__)

PARTITIONS = 4
EXCHANGE = "shop"
# The shop's services read as one group; EventHub taps with its own.
SERVICES_GROUP = "shop-services"
ADDRESSES = {"kafka": "KAFKA_BOOTSTRAP_SERVERS", "rabbitmq": "RABBITMQ_URL", "sqs": "SQS_ENDPOINT_URL"}
TOPICS: dict[str, tuple[str, ...]] = {
    "kafka": ("shop.orders", "shop.payments"),
    "rabbitmq": ("shop.inventory", "shop.shipping"),
    # Nobody but EventHub reads these: a queue of SQS has one reader.
    "sqs": ("shop.email", "shop.customers"),
}


class Elsewhere(msgspec.Struct, frozen=True):
    """One broker beside Redis, and the topics of the shop that live on it."""

    name: str
    address: str

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that live there."""
        return TOPICS[self.name]

    @property
    def is_read_by_services(self) -> bool:
        """Whether what is published there comes back to the shop's services."""
        return self.name != "sqs"

    @property
    def address_keys(self) -> tuple[str, ...]:
        """Which keys of the tap's config say where the broker is."""
        return {"kafka": ("bootstrap_servers",), "rabbitmq": ("url",), "sqs": ("endpoint_url",)}[self.name]

    def tap(self) -> dict[str, Any]:
        """The source by which EventHub sees it: kind and config."""
        match self.name:
            case "kafka":
                return {
                    "kind": Kind.KAFKA,
                    "config": {"bootstrap_servers": self.address, "topics": list(self.topics)},
                }
            case "rabbitmq":
                return {"kind": Kind.RABBITMQ, "config": {"url": self.address, "exchange": EXCHANGE}}
        return {
            "kind": Kind.SQS,
            "config": {"queues": [_queue(topic) for topic in self.topics], **self._aws()},
        }

    def services_source(self) -> Source:
        """How the shop's services read and publish there; never saved."""
        tap = self.tap()
        match self.name:
            case "kafka":
                tap["config"]["group"] = SERVICES_GROUP
            case "rabbitmq":
                tap["config"]["queue"] = f"{EXCHANGE}.services"
        return Source(name=f"shop-{self.name}-services", **tap)

    def outgoing(
        self, topic: str, body: bytes, headers: Mapping[str, str], key: str | None
    ) -> OutgoingMessage:
        """A message of the shop as this broker carries it."""
        told = tuple(headers.items())
        match self.name:
            case "kafka":
                return OutgoingMessage(body, topic, told, key)
            case "rabbitmq":
                place = {"exchange": EXCHANGE, "routing_key": topic, "delivery_mode": "2"}
                return OutgoingMessage(body, topic, told, properties=place)
        return OutgoingMessage(body, _queue(topic), told)

    def topic_of(self, message: Message) -> str | None:
        """The shop's topic that `message`, read there, belongs to; None for what others put there."""
        topic = message.properties.get("routing_key") if self.name == "rabbitmq" else message.topic
        return topic if topic in self.topics else None

    def prepare(self) -> None:
        """Make the topics, the exchange or the queues where they are missing. Raises BrokerError."""
        try:
            match self.name:
                case "kafka":
                    self._make_topics()
                case "rabbitmq":
                    with Connection(self.address, connect_timeout=5) as connection:
                        Exchange(EXCHANGE, "topic", durable=True)(connection.channel()).declare()
                case _:
                    aws = self._aws()
                    client = boto3.client(
                        "sqs",
                        endpoint_url=aws["endpoint_url"],
                        region_name=aws["region"],
                        aws_access_key_id=aws["access_key_id"],
                        aws_secret_access_key=aws["secret_access_key"],
                    )
                    for topic in self.topics:
                        client.create_queue(QueueName=_queue(topic))
        except (KafkaException, OperationalError, OSError, BotoCoreError, ClientError) as error:
            raise BrokerError(f"{self.name} is not ready for the shop: {error}") from error

    def _make_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.address})
        made = admin.create_topics(
            [NewTopic(topic, PARTITIONS, 1) for topic in self.topics], request_timeout=10
        )
        for future in made.values():
            try:
                future.result(15)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def _aws(self) -> dict[str, str]:
        return {
            "endpoint_url": self.address,
            "region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "elasticmq",
            "access_key_id": os.environ.get("AWS_ACCESS_KEY_ID") or "shop",
            "secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY") or "shop",
        }


class BadBrokers(ValueError):
    """``DEMO_BROKERS`` cannot be used. The text says why, and what it should hold."""


def read_brokers(text: str, environ: Mapping[str, str]) -> tuple[Elsewhere, ...]:
    """The brokers named in `text`, separated by commas. Raises BadBrokers."""
    names = list(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in ADDRESSES:
            raise BadBrokers(f"DEMO_BROKERS names {name!r}. The shop can use: {', '.join(ADDRESSES)}.")
        if not environ.get(ADDRESSES[name]):
            raise BadBrokers(
                f"DEMO_BROKERS names {name}, and {ADDRESSES[name]} does not say where it is. `make run` starts one "
                "where it can; otherwise set the address."
            )
    return tuple(Elsewhere(name, environ[ADDRESSES[name]]) for name in names)


def make_ready(brokers: Sequence[Elsewhere]) -> None:
    """Make what the shop needs on its brokers, so that a tap finds it; one that is away is made ready later."""
    for broker in brokers:
        try:
            broker.prepare()
        except BrokerError as error:
            log.warning("%s", error)


def carried_topics(brokers: Sequence[Elsewhere]) -> frozenset[str]:
    """The topics that do not live on Redis."""
    return frozenset(topic for broker in brokers for topic in broker.topics)


def _queue(topic: str) -> str:
    return topic.replace(".", "-")  # names of queues have no dots
