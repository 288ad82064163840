"""The relay killed at random: everything is published, in the order of each key, and what came twice is removed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
import redis
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.db import connection, transaction

from eventhub.outbox import inbox
from eventhub.outbox.models import InboxEntry, OutboxMessage
from tests.integration.under_test import make_topic

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
KEYS = 200
BATCH = 500


def fill(topic: str, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO outbox_relayslice SELECT generate_series(0, 15) ON CONFLICT DO NOTHING")
        cursor.execute(
            "INSERT INTO outbox_outboxmessage (topic, key, body)"
            " SELECT %s, 'k-' || n %% %s, json_build_object('event_id', 'e-' || n, 'n', n)::text"
            " FROM generate_series(0, %s) AS n ORDER BY n",
            [topic, KEYS, count - 1],
        )


class Relays:
    """Two relays as they run in production, of which one is killed now and then."""

    def __init__(self, folder: Path, kind: str, config: dict[str, object]) -> None:
        self.kills = 0
        self.arguments = [
            "outbox",
            "relay",
            "--kind",
            kind,
            "--config",
            json.dumps(config),
            "--batch",
            str(BATCH),
        ]
        self.folder = folder
        self.log = (folder / "relays.log").open("wb")
        self.running = [self.start(), self.start()]

    def start(self) -> "subprocess.Popen[bytes]":
        database = connection.settings_dict
        address = f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
        environment = os.environ | {
            "DATABASE_URL": address,
            "REDIS_URL": settings.REDIS_URL,
            "VAR_DIR": str(self.folder),
        }
        return subprocess.Popen(
            [sys.executable, "manage.py", *self.arguments],
            cwd=ROOT, env=environment, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip

    def run_out(self, kills: int, timeout_s: float) -> None:
        """Kill one whenever some more are published, until all are."""
        waiting = OutboxMessage.objects.filter(published_at=None)
        total = waiting.count()
        deadline = time.monotonic() + timeout_s
        while (left := waiting.count()) > 0:
            assert time.monotonic() < deadline, f"{left} are not published"
            if self.kills < kills and left < total * (1 - self.kills / (kills + 1)):
                victim = random.choice(self.running)
                os.killpg(victim.pid, signal.SIGKILL)
                victim.wait()
                self.kills += 1
                self.running[self.running.index(victim)] = self.start()
            time.sleep(random.random() * 0.05)

    def stop(self) -> None:
        for one in self.running:
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
        self.log.close()


def check(came: list[dict[str, object]], count: int, kills: int) -> int:
    """All of them, in the order of each key, twice only what was in flight; the inbox lets each through once."""
    numbers = [int(str(one["n"])) for one in came]
    assert set(numbers) == set(range(count)), f"{count - len(set(numbers))} are missing"
    doubles = len(numbers) - count
    assert doubles <= kills * BATCH, f"{doubles} came twice after {kills} kills"
    first: dict[int, int] = {}
    for place, n in enumerate(numbers):
        first.setdefault(n, place)
    for key in range(KEYS):
        places = [first[n] for n in range(key, count, KEYS)]
        assert places == sorted(places), f"k-{key} is out of order"
    let_through = []
    for start in range(0, len(came), 1000):
        with transaction.atomic():
            let_through += [
                one["event_id"]
                for one in came[start : start + 1000]
                if inbox.is_first("shipping", str(one["event_id"]))
            ]
    assert len(let_through) == len(set(let_through)) == count == InboxEntry.objects.count()
    return doubles


def test_thousands_of_messages_to_redis_although_relays_are_killed(tmp_path):
    stream, count = f"relay-{uuid4().hex[:8]}", 6_000
    fill(stream, count)
    relays = Relays(tmp_path, "redis", {"url": settings.REDIS_URL})
    try:
        relays.run_out(kills=3, timeout_s=90)
    finally:
        relays.stop()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        came = [json.loads(fields[b"body"]) for _, fields in client.xrange(stream)]
        client.delete(stream)
    assert relays.kills
    check(came, count, relays.kills)


@pytest.mark.chaos
def test_a_hundred_thousand_messages_to_kafka_although_relays_are_killed(tmp_path, kafka):
    topic, count = f"relay-{uuid4().hex[:8]}", 100_000
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    make_topic(admin, topic)
    fill(topic, count)
    relays = Relays(tmp_path, "kafka", {"bootstrap_servers": kafka.bootstrap_servers})
    try:
        relays.run_out(kills=15, timeout_s=900)
    finally:
        relays.stop()
    came = everything(kafka.bootstrap_servers, topic)
    admin.delete_topics([topic])[topic].result(20)
    print(f"{relays.kills} kills, {check(came, count, relays.kills)} came twice")
    assert relays.kills > 5


def everything(servers: str, topic: str) -> list[dict[str, object]]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "auto.offset.reset": "earliest"})
    partition = TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(partition, timeout=20)
    consumer.assign([partition])
    came: list[dict[str, object]] = []
    while len(came) < end:
        came += [json.loads(message.value()) for message in consumer.consume(10_000, 1.0)]
    consumer.close()
    return came
