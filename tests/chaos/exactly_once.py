"""Events from a broker to rows, exactly once each, while everything on the way is killed or restarted.

A broker joins with a class that has `kind`, `config`, `fill` and `restart`; the rest is the same for all.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import psycopg
from django.conf import settings

from eventhub.running.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "chaos"
# How many events the long form plays; fewer for a machine that has other things to do.
EVENTS = int(os.environ.get("CHAOS_EVENTS", "1000000"))
# A worker that cannot reach the broker or PostgreSQL looks again after half a minute at the latest.
PROGRESS_TIMEOUT_S = 90.0
PREPARE = """
import json, os
from django.core.management import call_command
from eventhub.brokers.models import Source
call_command("migrate", verbosity=0)
Source.objects.create(**json.loads(os.environ["CHAOS_SOURCE"]))
"""
# A batch is in work while a transaction that has written events is open.
# Each takes a few milliseconds: a batch is in work most of the time, and a look falls between two at times.
LOOKS = 20
IN_WORK = """
SELECT count(*) FROM pg_locks WHERE relation = 'events_event'::regclass AND mode = 'RowExclusiveLock' AND granted"""

# Sources, types and services of which the rollups say something else than there is: how many, by which broker, how many
# timed.
MISCOUNTED = """
SELECT count(*) FROM (
    SELECT origin_id, event_type, coalesce(source, '') AS service, count(*) AS n FROM events_event GROUP BY 1, 2, 3
) AS there FULL JOIN (
    SELECT origin_id, event_type, service, sum(received) AS n, min(broker) AS broker, max(broker) AS other_broker,
        sum((SELECT sum(c) FROM unnest(arrival_counts) AS c)) AS timed
    FROM rollups_rollup GROUP BY 1, 2, 3 HAVING sum(received) > 0
) AS counted USING (origin_id, event_type, service)
LEFT JOIN brokers_source AS source ON source.id = origin_id
WHERE there.n IS DISTINCT FROM counted.n OR counted.timed IS DISTINCT FROM counted.n
    OR counted.broker IS DISTINCT FROM source.kind OR counted.other_broker IS DISTINCT FROM source.kind"""
# The merge task's work in `hours` from now, when all that was recorded has the next grain.
MERGE = """
from datetime import timedelta
from django.utils import timezone
from monitoring.rollups.merging import merge
merge(timezone.now() + timedelta(hours={hours}))
"""
# In how many hours everything has which grain, in seconds.
GRAINS = ((0, 1), (3, 60), (10 * 24, 3600))


class Broker(Protocol):
    """The broker under chaos."""

    # The kind of source, and its config.
    kind: str
    config: dict[str, Any]

    def fill(self, bodies: Iterable[bytes]) -> None:
        """Publish one message for each body; returns when the broker has them for good."""

    def restart(self) -> None:
        """Restart the broker, in the middle of whatever it does; returns when it serves again."""


@runtime_checkable
class TellsInFlight(Protocol):
    """A broker that can tell what it delivered and was not acknowledged yet."""

    def in_flight(self) -> int:
        """How many messages."""


@dataclass
class Story:
    """What happened, for the assertion and for people."""

    events: int
    kills: int = 0
    kills_with_a_batch_in_work: int = 0
    seconds: float = 0.0
    stored: int = 0
    distinct: int = 0
    sum_of_numbers: int = 0
    # By the width of the rollups' buckets in seconds: how much they counted, and of how many sources, types and
    # services wrongly.
    counted: dict[int, int] = field(default_factory=dict)
    miscounted: dict[int, int] = field(default_factory=dict)
    duplicates: int = 0
    dead_letters: int = 0
    steps: list[str] = field(default_factory=list)

    def assert_exactly_once(self) -> None:
        """Each event is a row, none is two, and the rollups counted each once.

        They did so in seconds, minutes and hours, in all and for each source, type and service.
        """
        assert (self.stored, self.distinct) == (self.events,) * 2, self
        assert self.counted == {grain: self.events for _, grain in GRAINS}, self
        assert self.miscounted == {grain: 0 for _, grain in GRAINS}, self
        assert self.sum_of_numbers == self.events * (self.events - 1) // 2, self
        assert self.dead_letters == 0, self
        assert self.kills_with_a_batch_in_work > 0, "no kill hit a batch in work; the test showed nothing"

    def __str__(self) -> str:
        return "\n".join(
            [
                *self.steps,
                f"{self.events:,} events, {self.kills} kills ({self.kills_with_a_batch_in_work} with a batch in work), "
                f"{self.seconds:.0f} s: {self.stored:,} rows, {self.distinct:,} different; "
                f"{self.duplicates:,} delivered again after they were stored; the rollups count "
                + ", ".join(f"{n:,} by {grain:,} s" for grain, n in self.counted.items()),
            ]
        )


def events_numbered(start: int, count: int) -> Iterator[bytes]:
    """Events like those of a shop; the same number is always the same event."""
    for number in range(start, start + count):
        event = {
            "event_id": str(UUID(int=random.Random(number).getrandbits(128), version=4)),
            "event_type": f"order.{('placed', 'paid', 'shipped')[number % 3]}",
            "timestamp": f"2026-11-{1 + number % 20:02d}T10:00:00Z",
            "data": {"n": number, "customer": f"customer-{number % 5000}"},
            "metadata": {"source": "order", "correlation_id": f"c-{number // 3}"},
        }
        yield json.dumps(event).encode()


def run(
    broker: Broker,
    *,
    events: int,
    kills: int,
    batch_size: int,
    alive_s: float,
    slowest_per_s: int = 2_000,
) -> Story:
    """Fill, kill the worker `kills` times, restart the broker and PostgreSQL under a running worker, count.

    A worker is killed at a random moment up to `alive_s` after it began to store. `slowest_per_s` is how many events a
    second it stores at least on a busy machine: nobody waits for ever.
    """
    story = Story(events)
    moments = random.Random()
    with own_database(broker) as database:
        started = time.monotonic()
        first = events * 2 // 3
        broker.fill(events_numbered(0, first))
        story.steps.append(f"{first:,} events filled in {time.monotonic() - started:.1f} s")
        with Worker(database, batch_size) as worker:
            for _ in range(kills):
                worker.start()
                before = database.stored()
                worker.wait_until(lambda before=before: database.stored() > before)
                time.sleep(moments.uniform(0, alive_s))
                story.kills += 1
                story.kills_with_a_batch_in_work += _comes_into_work(broker, database)
                worker.kill()
                assert database.stored() < first, "everything was stored before the last kill; fill in more"
            story.steps.append(f"{database.stored():,} stored after {kills} kills")
            worker.start()
            before = database.stored()
            worker.wait_until(lambda: database.stored() > before)
            broker.restart()
            broker.fill(events_numbered(first, events - first))
            before = database.stored()
            worker.wait_until(lambda: database.stored() > before or database.stored() == events)
            story.steps.append(f"{database.stored():,} stored after the broker's restart")
            database.restart()
            worker.wait_until(lambda: database.stored() >= events, timeout_s=60 + events / slowest_per_s)
            # Whatever would still come twice has the time to.
            worker.wait_until(database.has_settled)
            assert worker.stop() == 0
        story.seconds = time.monotonic() - started
        database.tell(story)
    return story


def run_long(broker: Broker) -> Story:
    """`EVENTS` events and a dozen kills, spread as over a million whatever the number."""
    return run(
        broker, events=EVENTS, kills=12, batch_size=max(1, EVENTS // 200), alive_s=1.5 * EVENTS / 1_000_000
    )


def _comes_into_work(broker: Broker, database: "Database") -> bool:
    """Whether a batch is in work: now, or at one of the next looks. Between two batches a kill would show nothing."""

    def in_work() -> bool:
        return bool(broker.in_flight() if isinstance(broker, TellsInFlight) else database.ask(IN_WORK))

    return any(in_work() for _ in range(LOOKS))


class Database:
    """A PostgreSQL of the test's own, durable as in production, because it is restarted."""

    def __init__(self, folder: Path) -> None:
        self.server = EmbeddedPostgres(folder / "postgres")
        self.server.start()
        self._settled_at = (0, 0.0)

    @property
    def environment(self) -> dict[str, str]:
        """For the processes that use it."""
        return {
            **os.environ,
            "DATABASE_URL": self.server.url,
            "REDIS_URL": settings.REDIS_URL,
            "LOG_LEVEL": "INFO",
        }

    def ask(self, sql: str) -> Any:
        """The first value of the first row."""
        with psycopg.connect(self.server.url) as connection:
            row = connection.execute(sql).fetchone()
            assert row is not None
            return row[0]

    def run(self, code: str, **environment: str) -> None:
        """Run some lines of Python in a process of EventHub's on this database."""
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-c", code],
            cwd=ROOT,
            env={**self.environment, **environment},
            check=True,
        )

    def stored(self) -> int:
        """How many events are committed."""
        return int(self.ask("SELECT count(*) FROM events_event"))

    def has_settled(self) -> bool:
        """Whether nothing has been stored for two seconds, and nothing is in work."""
        now, count = time.monotonic(), self.stored()
        if count != self._settled_at[0] or self.ask(IN_WORK):
            self._settled_at = count, now
        return now - self._settled_at[1] > 2

    def restart(self) -> None:
        """In the middle of whatever it does."""
        self.server.stop()
        self.server.start()

    def tell(self, story: Story) -> None:
        """Count everything."""
        story.stored = self.stored()
        story.distinct = self.ask("SELECT count(DISTINCT event_id) FROM events_event")
        story.sum_of_numbers = int(self.ask("SELECT sum((data ->> 'n')::bigint) FROM events_event"))
        for hours, grain in GRAINS:
            if hours:
                self.run(MERGE.format(hours=hours))
            assert self.ask("SELECT array_agg(DISTINCT grain) FROM rollups_rollup") == [grain]
            story.counted[grain] = int(self.ask("SELECT sum(received) FROM rollups_rollup"))
            story.miscounted[grain] = self.ask(MISCOUNTED)
        story.duplicates = int(self.ask("SELECT sum(duplicates) FROM rollups_rollup"))
        story.dead_letters = self.ask("SELECT count(*) FROM dlq_deadletter")


@contextmanager
def own_database(broker: Broker) -> Iterator[Database]:
    """A database with EventHub's tables and the source, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=os.environ["VAR_DIR"]))
    folder.chmod(0o755)  # the server may run as a user of its own
    database = Database(folder)
    try:
        source = {"name": SOURCE, "kind": broker.kind, "config": broker.config}
        database.run(PREPARE, CHAOS_SOURCE=json.dumps(source))
        yield database
    finally:
        database.server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Worker:
    """`celery worker --ingest`, one at a time, always under the same name."""

    def __init__(self, database: Database, batch_size: int, name: str = "chaos") -> None:
        self.name = name
        self.environment = {**database.environment, "INGEST_BATCH_SIZE": str(batch_size)}
        self.process: subprocess.Popen[bytes] | None = None
        (ROOT / "test-results").mkdir(exist_ok=True)
        self.log = (ROOT / "test-results" / f"{name}-worker.log").open("wb")

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.log.close()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "eventhub",
            "worker",
            "--ingest",
            "--pool",
            "threads",
        ]
        command += ["--concurrency", "1", "--queues", "ingest", "--hostname", f"ingest@{self.name}"]
        command += ["--loglevel", "INFO"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log
        )

    def kill(self) -> None:
        """With -9: it has no chance to finish anything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """As an operator does; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = PROGRESS_TIMEOUT_S) -> None:
        """While it runs. It must not end by itself, whatever is restarted."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process is not None
            assert self.process.poll() is None, f"the worker ended by itself; see {self.log.name}"
            assert time.monotonic() < deadline, f"in vain; see {self.log.name}"
            time.sleep(0.02)
