"""SIGTERM, to every kind of process: it finishes what it has in hand, is gone in ten seconds, and nothing is lost or
doubled. The supervisor with all of them under it: ``test_up.py``.
"""

import json
import os
import shelve
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.models import Sum

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.adapter import open_adapter
from eventhub.events.message import OutgoingMessage
from eventhub.events.models import Event
from eventhub.handlers.models import Delivery
from eventhub.outbox.models import OutboxMessage
from eventhub.running.programs import CELERY
from monitoring.rollups.models import Rollup
from tests.handlers.conftest import Hub, placed
from tests.integration.under_test import BROKERS, UnderTest
from tests.outbox.test_killed_relay import fill
from tests.running import sigterm_handlers
from tests.running.ending import allowed_s
from tests.services.ports import free_port
from tests.services.product import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
sigterm_handlers.hide()


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


class Processes:
    """Processes as in production, on this test's database and Redis."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        database = connection.settings_dict
        address = f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
        given = {"DATABASE_URL": address, "REDIS_URL": settings.REDIS_URL, "VAR_DIR": str(self.folder)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "eventhub.running.child", str(os.getpid()), *command],
                cwd=ROOT, env=os.environ | given | environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._started.append(process)
        return process

    def end(self, process: "subprocess.Popen[bytes]", *codes: int) -> float:
        """SIGTERM; how many seconds it took."""
        process.send_signal(signal.SIGTERM)
        return self.ended(process, time.monotonic(), *codes)

    def ended(self, process: "subprocess.Popen[bytes]", asked_at: float, *codes: int) -> float:
        code = process.wait(60)
        took_s = time.monotonic() - asked_at
        assert code in (codes or (0,)), self.log.read_text()
        assert took_s < allowed_s(), self.log.read_text()
        return took_s

    def kill_all(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def processes(tmp_path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.kill_all()


@pytest.fixture
def no_tasks() -> Iterator[None]:
    """What waits in Celery's queues is nobody's before and after."""
    forget_tasks()
    yield
    forget_tasks()


def forget_tasks() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        if keys := list(client.scan_iter("eventhub:celery:*")):
            client.delete(*keys)


def test_the_web_server_answers_the_request_it_has_begun_and_takes_no_other(processes):
    token = create_token("shop", Scope.INGEST)
    port = free_port()
    web = processes.start(
        sys.executable, "-m", "uvicorn", "eventhub.asgi:application", "--host", "127.0.0.1", "--port", str(port),
        "--lifespan", "on", "--log-level", "warning", "--timeout-graceful-shutdown", "3",
        DATABASE_POOL="1",
    )  # fmt: skip

    def connected() -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            return None

    wait_for(lambda: connected() is not None, "the server listens")
    body = json.dumps([{"event_id": f"e-{n}", "event_type": "a", "data": n} for n in range(500)]).encode()
    request = connected()
    assert request is not None
    request.settimeout(30)
    head = (
        f"POST /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request.sendall(head.encode())
    assert b"100 Continue" in request.recv(1000)
    web.send_signal(signal.SIGTERM)
    asked_at = time.monotonic()
    wait_for(lambda: connected() is None, "the server listens no more")
    request.sendall(body)
    answer = b""
    while part := request.recv(65_536):
        answer += part
    assert b" 202 " in answer.splitlines()[0], answer[:500]
    processes.ended(web, asked_at, 0, -signal.SIGTERM)
    assert Event.objects.count() == 500


@pytest.fixture(params=["redis", "kafka", "rabbitmq"])
def broker(request) -> Iterator[UnderTest]:
    under_test = BROKERS[request.param](request)
    yield under_test
    under_test.tear_down()


def test_an_ingest_worker_stores_and_acknowledges_the_batch_in_work(processes, broker):
    total, batch = 20_000, 100
    broker.source.save()
    adapter = open_adapter(broker.source, "producer")
    for first in range(0, total, 2_000):
        adapter.publish(
            [
                OutgoingMessage(
                    json.dumps({"event_id": f"e-{n}", "event_type": "a", "data": n}).encode(), broker.topic
                )
                for n in range(first, first + 2_000)
            ]
        )
    adapter.close()
    command = (*CELERY, "worker", "--ingest", "--pool", "threads", "--concurrency", "1", "--queues", "ingest")

    def start() -> "subprocess.Popen[bytes]":
        return processes.start(*command, "--hostname", f"{broker.name}@%h", INGEST_BATCH_SIZE=str(batch))

    first_worker = start()
    wait_for(Event.objects.exists, "something is stored")
    processes.end(first_worker)
    stored = Event.objects.count()
    assert 0 < stored < total, "it was not in the middle of its work"
    second = start()
    wait_for(lambda: Event.objects.count() >= total, "the rest is stored")
    processes.end(second)
    sums = Rollup.objects.aggregate(received=Sum("received"), duplicates=Sum("duplicates"))
    assert (Event.objects.count(), sums["received"], sums["duplicates"]) == (total, total, 0)


@pytest.fixture
def hub(transactional_db) -> Iterator[Hub]:
    """With handlers that take their time."""
    sigterm_handlers.declare()
    yield Hub()
    sigterm_handlers.forget()


def test_a_task_worker_ends_the_delivery_in_hand_and_leaves_the_others(processes, no_tasks, hub):
    hub.take(*(placed(n, event_type="sigterm.step") for n in range(40)))
    worker, beat = start_workers(processes)
    wait_for(lambda: sigterm_handlers.done() > 0, "a delivery is done")
    processes.end(worker)
    done = sigterm_handlers.done()
    assert 0 < done < 40, "it was not in the middle of its work"
    assert Delivery.objects.filter(state="done").count() == done
    again, _ = start_workers(processes, with_beat=False)
    wait_for(lambda: sigterm_handlers.done() == 40, "the others are done")
    processes.end(again)
    processes.end(beat)
    assert sigterm_handlers.distinct() == 40
    assert not Delivery.objects.exclude(state="done").exists()


def test_a_task_worker_does_not_wait_for_a_handler_that_takes_a_minute(processes, no_tasks, hub):
    hub.take(placed(1, event_type="sigterm.minute"))
    worker, beat = start_workers(processes)
    wait_for(lambda: Path(processes.folder / "began").exists(), "the handler runs")
    processes.end(worker, 1)
    processes.end(beat)
    assert sigterm_handlers.done() == 0  # what it wrote was undone with it
    assert Delivery.objects.get().state == "waiting"


def start_workers(
    processes: Processes, with_beat: bool = True
) -> "tuple[subprocess.Popen[bytes], subprocess.Popen[bytes] | None]":
    environment = {"EVENT_HANDLERS": sigterm_handlers.__name__}
    worker = processes.start(
        *CELERY, "worker", "--concurrency", "2", "--queues", "tasks,handlers", "--hostname", f"{uuid4().hex[:8]}@%h",
        **environment,
    )  # fmt: skip
    beat = processes.start(*CELERY, "beat", "--pidfile=", **environment) if with_beat else None
    return worker, beat


def test_the_scheduler_keeps_what_it_has_sent_and_goes_on_from_there(processes, no_tasks):
    counts = []
    for _ in range(2):
        beat = processes.start(*CELERY, "beat", "--pidfile=")
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.delete("eventhub:celery:tasks")
            wait_for(lambda client=client: client.llen("eventhub:celery:tasks") > 3, "tasks are sent")
        processes.end(beat)
        with shelve.open(str(processes.folder / "celerybeat-schedule"), "r") as kept:
            counts.append(kept["entries"]["drive-sagas"].total_run_count)
    assert 0 < counts[0] < counts[1]


def test_a_relay_marks_what_the_broker_has_confirmed(processes):
    stream, count = f"sigterm-{uuid4().hex[:8]}", 6_000
    fill(stream, count)
    command = (
        *(sys.executable, "manage.py", "outbox", "relay", "--kind", "redis", "--batch", "100"),
        *("--config", json.dumps({"url": settings.REDIS_URL})),
    )
    waiting = OutboxMessage.objects.filter(published_at=None)
    relay = processes.start(*command)
    wait_for(lambda: waiting.count() < count, "something is published")
    processes.end(relay)
    assert 0 < waiting.count() < count, "it was not in the middle of its work"
    processes.start(*command, "--once").wait(60)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        came = [json.loads(fields[b"body"])["n"] for _, fields in client.xrange(stream)]
        client.delete(stream)
    assert sorted(came) == list(range(count))
