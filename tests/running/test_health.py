import asyncio
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as configured
from django.utils import timezone
from redis import Redis

from eventhub.brokers.models import Kind, Source, SourceStatus, State
from eventhub.running.heartbeat import KEY_PREFIX
from monitoring import readiness

NOWHERE = "redis://127.0.0.1:1/0"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ingest_worker():
    with Redis.from_url(configured.REDIS_URL) as client:
        client.set(f"{KEY_PREFIX}ingest@test", 1, ex=30)
        yield
        client.delete(f"{KEY_PREFIX}ingest@test")


def test_healthz_answers_without_login_and_without_a_query(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_readyz_is_200_when_database_redis_and_an_ingest_worker_are_there(client, ingest_worker):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "missing": {}, "parts": ["database", "ingest", "redis"]}


def test_readyz_names_the_missing_ingest_worker_and_how_to_start_one(client):
    response = client.get("/readyz")
    assert response.status_code == 503
    assert list(response.json()["missing"]) == ["ingest"]
    assert "--ingest" in response.json()["missing"]["ingest"]


@pytest.mark.parametrize(("age_s", "status"), [(1, 200), (60, 503)])
def test_a_source_that_is_read_right_now_counts_as_a_worker(client, age_s, status):
    now = timezone.now()
    SourceStatus.objects.create(
        source=Source.objects.create(name="s", kind=Kind.REDIS),
        worker="w",
        state=State.RUNNING,
        heartbeat_at=now - timedelta(seconds=age_s),
        started_at=now,
    )
    assert client.get("/readyz").status_code == status


def test_readyz_names_redis_when_it_is_gone(client, settings):
    settings.REDIS_URL = NOWHERE
    missing = client.get("/readyz").json()["missing"]
    assert "REDIS_URL" in missing["redis"]
    assert "database" not in missing


def test_a_part_that_hangs_is_missing_after_the_timeout(monkeypatch):
    async def hang() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(readiness, "TIMEOUT_S", 0.1)
    monkeypatch.setitem(readiness.PARTS, "database", hang)
    begun = time.monotonic()
    missing = async_to_sync(readiness.missing_parts)()
    assert time.monotonic() - begun < 30
    assert "No answer" in missing["database"]
