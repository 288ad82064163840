"""How fast a RabbitMQ queue becomes committed rows, beside what the bare client consumes with no work done."""

import time
from collections.abc import Iterable
from typing import Any

import amqp
from kombu import Connection

from benchmarks import brokers, stage
from benchmarks.record import record

EVENTS = 150_000
PREFETCH = 10_000
ACK_EVERY = 1_000


def run() -> bool:
    """Everything on, from a durable queue; the goal is 0.7 of the bare client's rate from the same kind of queue."""
    with stage.services() as folder, brokers.rabbitmq(folder) as rabbitmq:
        from eventhub.brokers.models import Kind, Source

        messages = list(stage.bodies(EVENTS))
        before = _bare(rabbitmq.url, messages)
        stage.declare_schema()
        name = brokers.new_name("orders")
        _fill(rabbitmq.url, name, messages)
        source = Source.objects.create(
            name=name, kind=Kind.RABBITMQ, config={"url": rabbitmq.url, "queue": name, "prefetch": PREFETCH}
        )
        rate = stage.ingest_rate(source, folder, ["bench"], EVENTS, timeout_s=300)
        _delete(rabbitmq.url, name)
        after = _bare(rabbitmq.url, messages)
    print(f"bare client before {before:,.0f}/s, after {after:,.0f}/s", flush=True)
    return record(
        "ingest-rabbitmq",
        value=rate,
        unit="events/s",
        reference="the bare client's consuming with no work done",
        reference_value=(before + after) / 2,
        goal=0.7,
        better="higher",
    )


def _bare(url: str, messages: list[bytes]) -> float:
    """Messages a second that py-amqp hands out from a filled queue, acknowledged by the thousand."""
    name = brokers.new_name("bare")
    _fill(url, name, messages)
    moments: list[float] = []
    with _connect(url) as connection:
        channel = connection.channel()
        channel.basic_qos(0, PREFETCH, False)
        left = len(messages)

        def count(message: Any) -> None:
            nonlocal left
            left -= 1
            if left % ACK_EVERY == 0:
                channel.basic_ack(message.delivery_tag, multiple=True)
                moments.append(time.perf_counter())

        channel.basic_consume(name, callback=count)
        while left:
            connection.drain_events(timeout=30)
    _delete(url, name)
    # From the first thousand to the last, as the rows of ingest are counted.
    return ACK_EVERY * (len(moments) - 1) / (moments[-1] - moments[0])


def _connect(url: str) -> Any:
    """py-amqp's own connection, whose type stubs know less than it does."""
    return Connection(url).transport.establish_connection()


def _fill(url: str, name: str, messages: Iterable[bytes]) -> None:
    """Put persistent messages into a new durable queue, and wait until it holds them all."""
    with _connect(url) as connection:
        channel = connection.channel()
        channel.queue_declare(name, durable=True, auto_delete=False)
        count = 0
        for body in messages:
            channel.basic_publish(amqp.Message(body, delivery_mode=2), routing_key=name)
            count += 1
        while channel.queue_declare(name, passive=True).message_count < count:
            time.sleep(0.1)


def _delete(url: str, name: str) -> None:
    with _connect(url) as connection:
        connection.channel().queue_delete(name)
