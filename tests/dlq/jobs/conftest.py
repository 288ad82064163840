from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as redis_client
from django.conf import settings
from django.db import transaction

from dlq import intake
from dlq.models import DeadLetter
from eventhub.brokers.models import Source
from tests.dlq.letters import service_failure

STREAMS = ("shop.orders", "shop.orders.v2", "shop.dead-letters")


@pytest.fixture
def redis() -> Iterator[Any]:
    client = redis_client.Redis.from_url(settings.REDIS_URL)
    client.delete(*STREAMS)
    yield client
    client.delete(*STREAMS)
    client.close()


@pytest.fixture
def died(shop_dead_letters: Source) -> Callable[..., list[DeadLetter]]:
    """Make letters of the shop's shipping service: `died(3)`, `died(3, correlation_id="order-1")`."""

    def make(count: int, **changed: Any) -> list[DeadLetter]:
        start = DeadLetter.objects.count()
        with transaction.atomic():
            intake.record(shop_dead_letters, [service_failure(start + n, **changed) for n in range(count)])
        return list(DeadLetter.objects.order_by("pk")[start:])

    return make
