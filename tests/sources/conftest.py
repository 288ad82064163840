from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from eventhub.access.models import Role
from tests.access.people import person


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests answers late; what it answers is what is tested."""
    monkeypatch.setattr("eventhub.brokers.trying.TIMEOUT_S", 60.0)


@pytest.fixture
def staff(client: Client) -> Client:
    """Someone who may add and change sources, and no more."""
    client.force_login(person(Role.EDITOR, "ada"))
    return client


@pytest.fixture
def visitor(client: Client) -> Client:
    client.force_login(User.objects.create_user("vic"))
    return client


@pytest.fixture
def stream() -> Iterator[str]:
    """The name of a Redis stream that is gone after the test."""
    name = f"t-{uuid4().hex[:8]}.orders"
    yield name
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete(name)


@pytest.fixture
def write() -> Iterator[Callable[..., Any]]:
    """Writes messages into a Redis stream."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:

        def add(stream: str, *bodies: bytes, **headers: str) -> None:
            for body in bodies:
                client.xadd(stream, {"body": body, **headers})

        yield add


def filled(**answers: str) -> dict[str, str]:
    """A form about a source of Redis Streams, filled in."""
    return {
        "name": "shop",
        "role": "events",
        "enabled": "on",
        "config-server": "own",
        "config-streams": "orders",
        "config-group": "eventhub",
        "config-start": "0",
    } | answers
