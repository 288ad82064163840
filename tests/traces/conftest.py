from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from dlq.models import DeadLetter, DeadLetterGroup
from eventhub.brokers.models import Source
from eventhub.traces.flow.figures import forget_usual


@pytest.fixture(autouse=True)
def _forget_what_was_measured():
    cache.clear()
    forget_usual()


@pytest.fixture
def browser(db, django_user_model) -> Client:
    client = Client()
    client.force_login(
        django_user_model.objects.create_user("ada", password="x", is_staff=True, is_superuser=True)
    )
    return client


@pytest.fixture
def dead_letter(db):
    def make(correlation_id: str | None, event_id: str | None, **fields: Any) -> DeadLetter:
        source, _ = Source.objects.get_or_create(name="shop-dead-letters", defaults={"kind": "redis"})
        group, _ = DeadLetterGroup.objects.get_or_create(
            fingerprint="f",
            defaults={
                "title": "Timeout",
                "reason": "service",
                "source": source,
                "first_seen_at": timezone.now(),
            },
        )
        values: dict[str, Any] = {
            "group": group, "source": source, "reason": "service", "origin_key": f"k{DeadLetter.objects.count()}",
            "body": b"{}", "size_bytes": 2, "topic": "shop.orders", "event_id": event_id, "event_type": "order.placed",
            "correlation_id": correlation_id, "failed_in": "shipping", "error_class": "Timeout",
            "error_message": "no answer", "first_failed_at": timezone.now(), "last_failed_at": timezone.now(),
        }  # fmt: skip
        return DeadLetter.objects.create(**{**values, **fields})

    return make
