"""The storm: events pour in, real workers handle them, and all the while something is killed or emptied.

Whatever happens, in the end every handler has done its work exactly once for every event that can be handled, and there
is one dead letter for each that cannot.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil
import redis
from django.conf import settings
from django.db import connection

from dlq.models import DeadLetter
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.handlers import registry, states
from eventhub.ingest.pipeline import Pipeline
from tests.handlers import storm_handlers
from tests.handlers.storm_handlers import NAMES, TABLES, is_hopeless

ROOT = Path(__file__).resolve().parents[2]
BATCH = 5_000
# Events of one correlation.
STORY = 7


class Storm:
    """One run: its processes, and what it did to them."""

    def __init__(self, folder: Path, events: int, workers: int = 2) -> None:
        self.folder = folder
        self.events = events
        self.workers = workers
        self.kills = 0
        self.mid_work = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._beat: subprocess.Popen[bytes] | None = None
        self._log = (folder / "workers.log").open("wb")
        self._choice = random.Random()

    # -- events -----------------------------------------------------------------------------------

    def pour(self, start: int, count: int) -> None:
        """Store events as ingest does; the deliveries are written with them."""
        source, _ = Source.objects.get_or_create(
            name="storm", defaults={"kind": Kind.REDIS, "config": {"streams": ["storm"]}}
        )
        pipeline = Pipeline(source)
        for first in range(start, start + count, BATCH):
            messages = [self._message(n) for n in range(first, min(first + BATCH, start + count))]
            pipeline.write(pipeline.prepare(messages))

    def _message(self, n: int) -> Message:
        event = {
            "event_id": f"storm-{n}",
            "event_type": f"storm.{('wind', 'rain', 'hail')[n % 3]}",
            "timestamp": f"2026-11-{1 + n % 20:02d}T10:00:00Z",
            "data": {"n": n},
            "metadata": {"source": "weather", "correlation_id": f"front-{n // STORY}"},
        }
        return Message(json.dumps(event).encode(), "storm", f"{n}-0", f"redis:storm/{n}")

    # -- processes --------------------------------------------------------------------------------

    def start(self) -> None:
        self._beat = self._celery("beat", "--pidfile=", "--schedule", str(self.folder / "beat"))
        for _ in range(self.workers):
            self._start_worker()

    def _start_worker(self) -> None:
        number = len(self._processes) + 1
        self._processes.append(
            self._celery(
                "worker", "--concurrency", "2", "--queues", "handlers,tasks", "--hostname", f"storm{number}@%h",
            )
        )  # fmt: skip

    def _celery(self, *arguments: str) -> "subprocess.Popen[bytes]":
        database = connection.settings_dict
        address = f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
        environment = os.environ | {
            "DATABASE_URL": address,
            "REDIS_URL": settings.REDIS_URL,
            "EVENT_HANDLERS": storm_handlers.__name__,
            "VAR_DIR": str(self.folder),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "eventhub", *arguments, "--loglevel", "WARNING"],
            cwd=ROOT, env=environment, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip

    def kill_something(self) -> None:
        """kill -9 of one process of a worker's pool, or of a whole worker, which is started anew."""
        alive = self.tend()
        victim = self._choice.choice(alive)
        children = psutil.Process(victim.pid).children()
        self.mid_work += in_hand() > 0
        self.kills += 1
        if children and self._choice.random() < 0.6:
            self._choice.choice(children).kill()
            return
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        self.tend()

    def tend(self) -> "list[subprocess.Popen[bytes]]":
        """Start anew what ended by itself, as a supervisor does: Celery gives up when its pool dies while it starts."""
        for _ in range(self.workers - sum(process.poll() is None for process in self._processes)):
            self._start_worker()
        return [process for process in self._processes if process.poll() is None]

    def flush_redis(self) -> None:
        """Everything Redis knows is gone: tasks, queues, what was unacknowledged."""
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushall()

    def stop(self) -> None:
        for process in [*self._processes, self._beat]:
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in [*self._processes, self._beat]:
            if process is not None:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        self._log.close()

    # -- waiting and looking ----------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"in vain: {progress()}"
            time.sleep(0.05)

    def check(self) -> None:
        """Everything happened exactly once."""
        ids = [f"storm-{n}" for n in range(self.events)]
        for name in NAMES:
            handled = [row[0] for row in query(f"SELECT event_id FROM {TABLES[name]}")]
            wanted = {event_id for event_id in ids if not is_hopeless(name, event_id)}
            assert len(handled) == len(set(handled)), f"{name} did something twice"
            assert set(handled) == wanted, f"{name}: {len(handled)} of {len(wanted)}"
            letters = list(DeadLetter.objects.filter(failed_in=name).values_list("event_id", flat=True))
            assert len(letters) == len(set(letters))
            assert set(letters) == set(ids) - wanted, name
        assert query("SELECT sum(events), sum(total) FROM storm_sums")[0] == (
            len(self._handled("storm-sums")),
            sum(int(event_id.removeprefix("storm-")) for event_id in self._handled("storm-sums")),
        )
        disorder = query(
            "SELECT key, before, n FROM (SELECT key, n, lag(n) OVER (PARTITION BY key ORDER BY id) AS before"
            " FROM storm_order) AS pairs WHERE n < before"
        )
        assert not disorder
        assert query("SELECT count(DISTINCT n) = count(*), max(n) = count(*) FROM storm_single") == [
            (True, True)
        ]
        left = query("SELECT count(*) FROM handlers_delivery WHERE state NOT IN ('done', 'dead')")
        assert left == [(0,)]

        self._check_rollups()

    def _check_rollups(self) -> None:
        """They counted every attempt that was settled, and nothing that a killed worker had in hand."""
        counted = query(
            "SELECT service, sum(handled), sum(failed), sum((SELECT sum(c) FROM unnest(processing_counts) AS c))"
            " FROM rollups_rollup GROUP BY 1 HAVING sum(handled + failed) > 0 ORDER BY 1"
        )
        attempts = query(
            "SELECT name, count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome = 'failed'),"
            " count(*) FILTER (WHERE outcome IN ('succeeded', 'failed'))"
            " FROM handlers_attempt JOIN handlers_handler h ON h.id = handler_id GROUP BY 1 ORDER BY 1"
        )
        assert counted == attempts

    def _handled(self, name: str) -> list[str]:
        return [f"storm-{n}" for n in range(self.events) if not is_hopeless(name, f"storm-{n}")]


def query(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def in_hand() -> int:
    """Deliveries that a worker has claimed."""
    return query("SELECT count(*) FROM handlers_delivery WHERE state = 'waiting' AND lease_until > now()")[0][
        0
    ]


def progress() -> str:
    return str(query("SELECT state, count(*), sum((lost > 0)::int) FROM handlers_delivery GROUP BY state"))


def waiting() -> int:
    """How many deliveries wait; by the indexes of those, for half a million lie beside them."""
    by_index = "SELECT count(*) FROM handlers_delivery WHERE state = 'waiting' AND lost"
    return query(f"SELECT ({by_index} = 0) + ({by_index} > 0)")[0][0]


def set_up() -> Callable[[], None]:
    """Declare the storm's handlers and make their tables; returns what undoes it."""
    before = registry.declared()
    if not any(one.name in NAMES for one in before):
        registry._declared.extend(_STORM)
        registry._by_type.clear()
    states.forget()
    with connection.cursor() as cursor:
        cursor.execute(storm_handlers.TEARDOWN)
        cursor.execute(storm_handlers.SCHEMA)

    def undo() -> None:
        registry._declared[:] = [one for one in before if one.name not in NAMES]
        registry._by_type.clear()
        states.forget()
        with connection.cursor() as cursor:
            cursor.execute(storm_handlers.TEARDOWN)

    return undo


# Importing their module declared them; other tests must not meet them.
_STORM = [one for one in registry.declared() if one.name in NAMES]
registry._declared[:] = [one for one in registry.declared() if one.name not in NAMES]
registry._by_type.clear()
