"""How fast the outbox's relay publishes to Kafka, beside a bare producer with the same promises."""

import os
import time

from confluent_kafka import Producer

from benchmarks import brokers, stage, topics
from benchmarks.record import record

MESSAGES = 60_000
PARTITIONS = 4


def run() -> bool:
    """60,000 messages of 12,000 keys by one relay; the goal is half of a bare produce, confirmed by the broker."""
    with stage.services() as folder, brokers.kafka(folder) as kafka:
        messages = list(stage.bodies(MESSAGES))
        names = [brokers.new_name(what) for what in ("bare-before", "relay", "bare-after")]
        with (
            topics.topic(kafka.bootstrap_servers, names[0], PARTITIONS, []),
            topics.topic(kafka.bootstrap_servers, names[1], PARTITIONS, []),
            topics.topic(kafka.bootstrap_servers, names[2], PARTITIONS, []),
        ):
            before = _produce(kafka.bootstrap_servers, names[0], messages)
            rate = _relay(kafka.bootstrap_servers, names[1], messages)
            after = _produce(kafka.bootstrap_servers, names[2], messages)
            if (there := topics.count(kafka.bootstrap_servers, names[1], PARTITIONS)) != MESSAGES:
                raise AssertionError(f"the topic holds {there:,} messages instead of {MESSAGES:,}")
    print(f"bare produce before {before:,.0f}/s, after {after:,.0f}/s", flush=True)
    return record(
        "outbox-relay",
        value=rate,
        unit="messages/s",
        reference="bare confirmed produce",
        reference_value=(before + after) / 2,
        goal=0.5,
        better="higher",
    )


def _relay(servers: str, topic: str, messages: list[bytes]) -> float:
    from eventhub.outbox import targets
    from eventhub.outbox.management.commands.outbox import params_of
    from eventhub.outbox.relay import Relay

    _fill(topic, messages)
    to = targets.target("kafka", {"bootstrap_servers": servers})
    relay = Relay(params_of(os.environ["DATABASE_URL"]), lambda: targets.connect(to))
    started = time.perf_counter()
    while relay.turn():
        pass
    seconds = time.perf_counter() - started
    relay.close()
    return len(messages) / seconds


def _fill(topic: str, messages: list[bytes]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        with cursor.copy("COPY outbox_outboxmessage (topic, key, headers, body) FROM STDIN") as copy:
            for number, body in enumerate(messages):
                copy.write_row(
                    (topic, f"order-{number // 5}", '{"content-type": "application/json"}', body.decode())
                )
        cursor.execute("VACUUM ANALYZE outbox_outboxmessage")


def _produce(servers: str, topic: str, messages: list[bytes]) -> float:
    """The same messages with the same promises, as many under way as the client holds, each confirmed."""
    failed = []
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "queue.buffering.max.messages": 100_000,
        }
    )
    started = time.perf_counter()
    for number, body in enumerate(messages):
        producer.produce(
            topic,
            body,
            key=f"order-{number // 5}".encode(),
            headers=[("content-type", b"application/json"), ("outbox-id", str(number).encode())],
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        producer.poll(0)
    left = producer.flush(120)
    seconds = time.perf_counter() - started
    if left or failed:
        raise AssertionError(f"{left} of the messages were not confirmed, {len(failed)} failed")
    return len(messages) / seconds
