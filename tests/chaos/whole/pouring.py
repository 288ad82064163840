"""Pours events into a Kafka topic at an even pace: `python -m tests.chaos.whole.pouring SERVERS TOPIC PER_S`.

In a process of its own, so that whoever times pages is not held up. Prints how many were confirmed, at its end.
"""

import json
import signal
import sys
import time
from datetime import UTC, datetime
from uuid import uuid4

from confluent_kafka import Producer

TICK_S = 0.05
STORY = 5


def pour(servers: str, topic: str, per_s: float) -> int:
    """Until SIGTERM; returns how many were confirmed. Prints a line when it begins."""
    confirmed = 0
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True

    def note(error: object, _: object) -> None:
        nonlocal confirmed
        confirmed += error is None

    signal.signal(signal.SIGTERM, end)
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    print("pouring", flush=True)
    run, number, due = uuid4().hex[:8], 0, time.monotonic()
    while not ending:
        now = datetime.now(UTC).isoformat()
        for _ in range(int(per_s * TICK_S)):
            number += 1
            event = (
                f'{{"event_id": "{run}-{number}", "event_type": "soak.{("seen", "read", "left")[number % 3]}",'
                f' "timestamp": "{now}", "data": {{"n": {number}, "customer": "customer-{number % 5000}"}},'
                f' "metadata": {{"source": "soak", "correlation_id": "{run}-{number // STORY}"}}}}'
            )
            producer.produce(topic, event.encode(), on_delivery=note)
        producer.poll(0)
        due = max(due + TICK_S, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
    producer.flush(60)
    return confirmed


if __name__ == "__main__":
    print(json.dumps(pour(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
