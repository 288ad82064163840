"""How fast dead letters go back to the RabbitMQ exchange that they came from, beside bare confirmed publishing."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kombu import Connection

from benchmarks import brokers, retrying, stage
from benchmarks.record import record

if TYPE_CHECKING:  # at run time only after Django is set up
    from eventhub.brokers.models import Source
    from eventhub.events.message import Message

LETTERS = 60_000
BATCH = 1_000
GOAL = 0.6


def run() -> bool:
    """A job of 60,000 letters in three groups; the goal is 0.6 of publishing the same messages and nothing else."""
    with stage.services() as folder, brokers.rabbitmq(folder) as rabbitmq:
        from eventhub.brokers.models import Kind, Role, Source
        from eventhub.events.message import Message

        exchange = brokers.new_name("orders")
        source = Source.objects.create(
            name=exchange,
            kind=Kind.RABBITMQ,
            role=Role.DEAD_LETTERS,
            config={"url": rabbitmq.url, "queue": f"{exchange}-dead"},
        )
        messages = [
            Message(
                body,
                f"{exchange}-dead",
                str(number),
                f"amqp:{exchange}/{number}",
                {
                    **retrying.death(number, exchange),
                    "x-first-death-exchange": exchange,
                },
                key="order.placed",
                properties={"exchange": exchange, "routing_key": "order.placed", "delivery_mode": "2"},
            )
            for number, body in enumerate(stage.bodies(LETTERS))
        ]
        _declare(rabbitmq.url, exchange)
        try:
            before = _bare(source, messages, exchange)
            _purge(rabbitmq.url, exchange)
            retrying.died(source, messages)
            with retrying.task_worker(folder):
                rate = retrying.rate(source, LETTERS)
            if (stored := _purge(rabbitmq.url, exchange)) != LETTERS:
                raise AssertionError(f"the queue holds {stored:,} messages instead of {LETTERS:,}")
            after = _bare(source, messages, exchange)
        finally:
            _delete(rabbitmq.url, exchange)
    print(f"bare confirmed publishing before {before:,.0f}/s, after {after:,.0f}/s", flush=True)
    return record(
        "retry-rabbitmq",
        value=rate,
        unit="letters/s",
        reference="bare confirmed publishing of the same messages",
        reference_value=(before + after) / 2,
        goal=GOAL,
        better="higher",
    )


def _bare(source: "Source", messages: Sequence["Message"], exchange: str) -> float:
    """Messages a second through the same client, confirmed a thousand at a time, with no database in it."""
    from eventhub.brokers.adapter import open_adapter
    from eventhub.events.message import OutgoingMessage

    place = {"exchange": exchange, "routing_key": "order.placed", "delivery_mode": "2"}
    outgoing = [
        OutgoingMessage(message.body, exchange, message.header_pairs(), properties=place)
        for message in messages
    ]
    adapter = open_adapter(source, "benchmark")
    try:
        adapter.publish(outgoing[:BATCH])
        began = time.perf_counter()
        for start in range(0, len(outgoing), BATCH):
            adapter.publish(outgoing[start : start + BATCH])
        return len(outgoing) / (time.perf_counter() - began)
    finally:
        adapter.close()


def _connect(url: str) -> Any:
    """py-amqp's own connection, whose type stubs know less than it does."""
    return Connection(url).transport.establish_connection()


def _declare(url: str, exchange: str) -> None:
    with _connect(url) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
        channel.queue_declare(exchange, durable=True, auto_delete=False)
        channel.queue_bind(exchange, exchange, "order.#")


def _purge(url: str, queue: str) -> int:
    """Empty the queue; how many messages it held."""
    with _connect(url) as connection:
        return int(connection.channel().queue_purge(queue))


def _delete(url: str, name: str) -> None:
    with _connect(url) as connection:
        channel = connection.channel()
        channel.queue_delete(name)
        channel.exchange_delete(name)
