"""Sagas declared for one test, and a log of what their steps did."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from eventhub.handlers import registry, states
from eventhub.sagas import declaring, driving, listening
from eventhub.sagas.models import Instance


@pytest.fixture(autouse=True)
def _forget_declarations() -> Iterator[None]:
    before, connected, handlers = dict(declaring._declared), dict(listening._connected), registry.declared()
    states.forget()
    yield
    declaring._declared.clear()
    declaring._declared.update(before)
    listening._connected.clear()
    listening._connected.update(connected)
    registry._declared[:] = handlers
    registry._by_type.clear()
    states.forget()


@pytest.fixture
def did(transactional_db: Any) -> Iterator["Did"]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS test_did (id bigserial, about text, what text)")
        cursor.execute("TRUNCATE test_did")
    yield Did()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE test_did")


class Did:
    """A table that steps write to: what took effect, in order."""

    def step(self, what: str, error: Exception | None = None, times: int = 10**6) -> Any:
        """A step's function that writes down `what`, and then raises `error` the first `times` times."""
        failures = [error] * min(times, 1000) if error else []

        def action(saga: declaring.Running) -> str:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO test_did (about, what) VALUES (%s, %s)", [saga.key, what])
            if failures:
                raise failures.pop()  # type: ignore[misc]
            return f"{what} result"

        return action

    def all(self, about: str = "o-1") -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT what FROM test_did WHERE about = %s ORDER BY id", [about])
            return [row[0] for row in cursor.fetchall()]


def run(hurry: bool = True) -> None:
    """Drive until nothing is left to do; with `hurry`, retries do not wait for their time."""
    for _ in range(100):
        if hurry:
            for one in Instance.objects.exclude(due_at=None):
                for state in one.steps.values():
                    state["due_at"] = None
                one.due_at = datetime(2026, 1, 1, tzinfo=UTC)
                one.save()
        if driving.drive_batch() == 0 or not hurry:
            return
        if not Instance.objects.filter(state__in=("running", "compensating")).exclude(due_at=None).exists():
            return
