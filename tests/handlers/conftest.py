"""Handlers declared for one test, events that come in as they do from a broker, and what handlers did."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.handlers import pace, registry, running, states
from eventhub.handlers.models import Attempt, Delivery, Handler
from eventhub.ingest.pipeline import Pipeline

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def handles() -> Iterator[Callable[..., Any]]:
    """`@handles(...)` whose handlers are gone after the test."""
    before = registry.declared()
    states.forget()
    yield registry.handles
    registry._declared[:] = before
    registry._by_type.clear()
    states.forget()
    pace.forget()


@pytest.fixture
def hub(transactional_db: Any) -> "Hub":
    return Hub()


@pytest.fixture
def effects(transactional_db: Any) -> Iterator["Effects"]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS test_effect (id bigserial, handler text, event_id text)")
        cursor.execute("TRUNCATE test_effect")
    yield Effects()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE test_effect")


class Effects:
    """A table that handlers write to."""

    def add(self, event: Any, handler: str = "") -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO test_effect (handler, event_id) VALUES (%s, %s)", [handler, event.event_id]
            )

    def all(self) -> list[str]:
        """Ids of the events, in the order in which they were handled."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT event_id FROM test_effect ORDER BY id")
            return [row[0] for row in cursor.fetchall()]


class Hub:
    """The hub as a test drives it: events come in, handlers run."""

    def __init__(self) -> None:
        self.source, _ = Source.objects.get_or_create(
            name="shop", defaults={"kind": Kind.REDIS, "config": {"streams": ["shop.orders"]}}
        )
        self.pipeline = Pipeline(self.source)

    def take(self, *events: dict[str, Any]) -> None:
        """Store events as a source's loop does."""
        messages = [
            Message(
                json.dumps(event).encode(), "shop.orders", f"{n}-0", f"redis:shop.orders/{event['event_id']}"
            )
            for n, event in enumerate(events)
        ]
        self.pipeline.write(self.pipeline.prepare(messages))

    def run(self, name: str) -> None:
        """Run the handler until nothing is due for it."""
        while running.run(name):
            pass

    def run_until(self, name: str, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Run the handler, retries in their time, until `condition` holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "in vain"
            running.run(name)
            time.sleep(0.01)

    def hurry(self) -> None:
        """Let everything that waits for its time be due."""
        Delivery.objects.filter(state="waiting").update(due_at=START)

    def states(self, name: str) -> list[str]:
        """Of the handler's deliveries, in the order of their making."""
        return list(
            Delivery.objects.filter(handler__name=name).order_by("pk").values_list("state", flat=True)
        )

    def outcomes(self, name: str) -> list[tuple[int, str]]:
        """Of the handler's attempts, in their order."""
        found = Attempt.objects.filter(handler__name=name).order_by("pk")
        return list(found.values_list("number", "outcome"))

    def handler(self, name: str) -> Handler:
        return Handler.objects.get(name=name)


def placed(number: int, **changed: Any) -> dict[str, Any]:
    """An order's first event."""
    return {
        "event_id": f"evt-{number}",
        "event_type": changed.pop("event_type", "order.placed"),
        "event_version": "1",
        "timestamp": (START + timedelta(seconds=number)).isoformat(),
        "data": {"order_id": f"o-{number}", "total": 12.5} | changed.pop("data", {}),
        "metadata": {
            "source": "checkout",
            "correlation_id": changed.pop("correlation_id", f"order-{number}"),
            "stream": changed.pop("stream", None),
        },
    } | changed
