"""The brokers that tests run against: each gives back what it took, and keeps it over a restart and a kill."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import amqp
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.services.elasticmq import ElasticMQServer, SqsAddress
from tests.services.kafka import KafkaAddress, KafkaServer
from tests.services.rabbitmq import RabbitAddress, RabbitServer

PAYLOAD = b"a cup of tea"
KINDS_OF_QUEUE = ("classic", "quorum", "stream")


def create_topic(kafka: KafkaAddress) -> str:
    topic = f"round-trip-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1)])[topic].result(20)
    return topic


def produce(topic: str, **config: str) -> None:
    failures: list[object] = []
    producer = Producer(config)
    producer.produce(topic, PAYLOAD, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(20) == 0
    assert not failures


def consume(topic: str, **config: str) -> bytes | None:
    consumer = Consumer({**config, "group.id": f"{topic}-readers", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        message = consumer.poll(20)
        assert message is not None
        assert not message.error()
        return message.value()
    finally:
        consumer.close()


def plain(kafka: KafkaAddress) -> dict[str, str]:
    return {"bootstrap.servers": kafka.bootstrap_servers}


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kafka_takes_every_compression(kafka: KafkaAddress, codec: str) -> None:
    topic = create_topic(kafka)
    produce(topic, **plain(kafka), **{"compression.type": codec})
    assert consume(topic, **plain(kafka)) == PAYLOAD


def test_kafka_keeps_what_it_has_over_a_restart_and_a_kill(own_kafka: KafkaServer) -> None:
    topic, address = create_topic(own_kafka.address), own_kafka.address
    produce(topic, **plain(address))
    assert own_kafka.restart().address == address
    own_kafka.kill()
    assert not own_kafka.is_running()
    assert own_kafka.start().address == address
    assert consume(topic, **plain(address)) == PAYLOAD


@contextmanager
def channel(rabbitmq: RabbitAddress) -> Iterator[amqp.Channel]:
    login, _, host = rabbitmq.url.removeprefix("amqp://").rstrip("/").rpartition("@")
    user, _, password = login.partition(":")
    with amqp.Connection(host, userid=user, password=password, confirm_publish=True) as connection:
        yield connection.channel()


def publish(channel: amqp.Channel, queue: str, kind: str) -> None:
    channel.queue_declare(queue, durable=True, auto_delete=False, arguments={"x-queue-type": kind})
    channel.basic_publish_confirm(amqp.Message(PAYLOAD, delivery_mode=2), routing_key=queue)


def receive(channel: amqp.Channel, queue: str, kind: str) -> bytes:
    received: list[amqp.Message] = []
    channel.basic_qos(0, 10, False)
    offset = {"x-stream-offset": "first"} if kind == "stream" else {}
    consumer = channel.basic_consume(queue, callback=received.append, arguments=offset)
    deadline = time.monotonic() + 20
    while not received and time.monotonic() < deadline:
        channel.connection.drain_events(timeout=20)
    channel.basic_ack(received[0].delivery_tag)
    channel.basic_cancel(consumer)
    body = received[0].body
    return body.encode() if isinstance(body, str) else bytes(body)


def receive_when_served(rabbitmq: RabbitAddress, queue: str, kind: str) -> bytes:
    """A node takes connections a moment before its stream queues have elected who leads them."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with channel(rabbitmq) as open_channel:
                return receive(open_channel, queue, kind)
        except amqp.NotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.mark.parametrize("kind", KINDS_OF_QUEUE)
def test_rabbitmq_has_queues_of_every_kind(rabbitmq: RabbitAddress, kind: str) -> None:
    queue = f"round-trip-{uuid.uuid4()}"
    with channel(rabbitmq) as open_channel:
        publish(open_channel, queue, kind)
        assert receive(open_channel, queue, kind) == PAYLOAD
        open_channel.queue_delete(queue)


def test_rabbitmq_keeps_what_it_has_over_a_restart_and_a_kill(own_rabbitmq: RabbitServer) -> None:
    address = own_rabbitmq.address
    with channel(address) as open_channel:
        for kind in KINDS_OF_QUEUE:
            publish(open_channel, kind, kind)
    assert own_rabbitmq.restart().address == address
    own_rabbitmq.kill()
    assert not own_rabbitmq.is_running()
    assert own_rabbitmq.start().address == address
    for kind in KINDS_OF_QUEUE:
        assert receive_when_served(address, kind, kind) == PAYLOAD


def test_sqs_gives_back_what_it_took(sqs: SqsAddress) -> None:
    client = sqs.client()
    url = client.create_queue(QueueName=f"round-trip-{uuid.uuid4()}")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody=PAYLOAD.decode())
    received = client.receive_message(QueueUrl=url, WaitTimeSeconds=10)
    assert [message["Body"] for message in received["Messages"]] == [PAYLOAD.decode()]
    client.delete_queue(QueueUrl=url)


def test_sqs_keeps_what_it_has_over_a_restart_and_a_kill(own_sqs: ElasticMQServer) -> None:
    address = own_sqs.address
    url = address.client().create_queue(QueueName="kept.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    address.client().send_message(
        QueueUrl=url, MessageBody=PAYLOAD.decode(), MessageGroupId="g", MessageDeduplicationId="1"
    )
    assert own_sqs.restart().address == address
    own_sqs.kill()
    assert not own_sqs.is_running()
    assert own_sqs.start().address == address
    received = address.client().receive_message(QueueUrl=url, WaitTimeSeconds=10)
    assert [message["Body"] for message in received["Messages"]] == [PAYLOAD.decode()]
