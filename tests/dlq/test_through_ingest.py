"""The whole way: a broker's dead-letter stream, the pipeline, a retry, and what the service says then."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_client
from django.conf import settings

from dlq import counts
from dlq.models import DeadLetter, Status
from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Source
from eventhub.ingest.pipeline import Pipeline
from tests.dlq.letters import dead_message, order_paid
from tests.dlq.sending import send_again, sent

pytestmark = pytest.mark.django_db(transaction=True)
STREAMS = ("shop.orders", "shop.dead-letters")


@pytest.fixture
def redis() -> Iterator[Any]:
    client = redis_client.Redis.from_url(settings.REDIS_URL)
    client.delete(*STREAMS)
    yield client
    client.delete(*STREAMS)
    client.close()


def ingest(source: Source) -> None:
    """Everything that waits for `source`, as a worker reads it."""
    adapter, pipeline = open_adapter(source, "test"), Pipeline(source)
    try:
        while messages := adapter.poll(100, 0.2):
            pipeline.write(pipeline.prepare(messages))
            adapter.acknowledge(messages)
    finally:
        adapter.close()


def die(redis: Any, **headers: str) -> None:
    """What the shipping service does when it gives up on an event."""
    message = dead_message(1)
    redis.xadd("shop.dead-letters", {"body": message.body, **message.headers, **headers})


def succeed(redis: Any) -> None:
    """What the shipping service reports when it processed the event."""
    data = {
        "event_id": "evt-1",
        "event_type": "order.paid",
        "service": "shipping",
        "attempt": 4,
        "duration_ms": 9,
    }
    event = {
        "event_id": "receipt-1",
        "event_type": "eventhub.delivery.succeeded",
        "timestamp": "2026-11-24T10:05:00Z",
        "data": data,
        "metadata": {"source": "shipping", "correlation_id": "order-1", "causation_id": "evt-1"},
    }
    redis.xadd("shop.orders", {"body": json.dumps(event)})


def test_a_dead_letter_is_read_retried_comes_back_is_retried_and_resolved(
    shop: Source, shop_dead_letters: Source, redis: Any
) -> None:
    redis.xadd("shop.orders", {"body": order_paid("evt-1", correlation_id="order-1")})
    die(redis)
    ingest(shop)
    ingest(shop_dead_letters)
    letter = DeadLetter.objects.get()
    assert (letter.status, letter.event_type, letter.failed_in) == (Status.OPEN, "order.paid", "shipping")

    assert sent(send_again(letter.pk))
    ingest(shop)  # the hub reads the retried message too: a duplicate, and no success yet
    letter.refresh_from_db()
    assert letter.status == Status.SENT

    die(redis, **{"eventhub-retry-of": str(letter.pk), "eventhub-attempt": "4"})
    ingest(shop_dead_letters)
    letter.refresh_from_db()
    assert (letter.status, letter.attempts, letter.returns) == (Status.OPEN, 4, 1)

    assert sent(send_again(letter.pk))
    succeed(redis)
    ingest(shop)
    letter.refresh_from_db()
    assert (letter.status, letter.closed_note) == (Status.RESOLVED, "shipping processed the event.")
    assert DeadLetter.objects.count() == 1
    assert counts.open_letters().letters == 0


def test_an_unreadable_message_retried_unchanged_comes_back_to_the_same_letter(
    shop: Source, redis: Any
) -> None:
    redis.xadd("shop.orders", {"body": b'{"event_type": "order.placed", \xff'})
    ingest(shop)
    letter = DeadLetter.objects.get()
    assert sent(send_again(letter.pk))
    ingest(shop)
    letter.refresh_from_db()
    assert (letter.status, letter.returns, letter.attempts) == (Status.OPEN, 1, 2)
    assert DeadLetter.objects.count() == 1
