"""``kill -9`` of the ingest worker at random moments: every event is stored, and none twice."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.models import Sum

from eventhub.brokers.models import Kind, Source
from monitoring.rollups.models import Rollup

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]

EVENTS = 200_000
KILLS = 10
STREAM = "chaos.orders"
ROOT = Path(__file__).resolve().parents[2]


def fill(client, start, count):
    choice = random.Random(start)
    for offset in range(start, start + count, 1000):
        with client.pipeline(transaction=False) as pipeline:
            for number in range(offset, offset + 1000):
                event = {
                    "event_id": str(UUID(int=choice.getrandbits(128), version=4)),
                    "event_type": f"order.{('placed', 'paid', 'shipped')[number % 3]}",
                    "timestamp": f"2026-11-{1 + number % 20:02d}T10:00:00Z",
                    "data": {"n": number},
                    "metadata": {"source": "order", "correlation_id": f"c-{number // 3}"},
                }
                pipeline.xadd(STREAM, {"body": json.dumps(event)})
            pipeline.execute()


def worker(log):
    database = connection.settings_dict
    address = f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
    environment = os.environ | {"DATABASE_URL": address, "REDIS_URL": settings.REDIS_URL}
    command = [sys.executable, "-m", "celery", "-A", "eventhub", "worker", "--ingest", "--pool", "threads"]
    command += [
        "--concurrency",
        "1",
        "--queues",
        "ingest",
        "--hostname",
        "ingest@chaos",
        "--loglevel",
        "WARNING",
    ]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def stored():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events_event")
        return cursor.fetchone()[0]


def wait_for(condition, timeout_s, process):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, "the worker ended by itself"
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.01)


def test_a_worker_killed_at_ten_random_moments_stores_each_of_200_000_events_once(tmp_path):
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(STREAM)
    Source.objects.create(name="chaos", kind=Kind.REDIS, config={"streams": [STREAM]})
    moments = random.Random()
    part = EVENTS // KILLS
    interrupted = 0
    with (tmp_path / "worker.log").open("wb") as log:
        for kill in range(KILLS):
            fill(client, kill * part, part)
            process = worker(log)
            before = stored()
            wait_for(lambda before=before: stored() > before, 60, process)
            time.sleep(moments.uniform(0, 0.5))
            process.kill()
            process.wait()
            interrupted += client.xpending(STREAM, "eventhub")["pending"] > 0
        process = worker(log)
        try:
            wait_for(lambda: stored() >= EVENTS, 300, process)
            wait_for(lambda: client.xpending(STREAM, "eventhub")["pending"] == 0, 30, process)
        finally:
            process.terminate()
            assert process.wait(60) == 0

    assert stored() == EVENTS
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT event_id) FROM events_event")
        assert cursor.fetchone()[0] == EVENTS
    assert Rollup.objects.aggregate(n=Sum("received"))["n"] == EVENTS
    assert interrupted, "no kill hit a batch in work; the test showed nothing"
    print(f"{interrupted} of {KILLS} kills hit a batch in work")
    client.delete(STREAM)
    client.close()
