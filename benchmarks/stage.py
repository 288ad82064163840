"""Where a benchmark runs: a PostgreSQL and a Redis of its own, and workers as they run in production."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from eventhub.running.postgres import EmbeddedPostgres
from eventhub.running.redis import EmbeddedRedis

if TYPE_CHECKING:  # at run time only after Django is set up
    from eventhub.brokers.models import Source

ROOT = Path(__file__).resolve().parent.parent
STREAM = "bench.orders"
TYPES = ("order.placed", "payment.authorized", "inventory.reserved", "shipment.created", "email.sent")


@contextmanager
def services(kept: Path | None = None) -> Iterator[Path]:
    """Start PostgreSQL and Redis in a folder of their own, set Django up on them, and remove it all afterwards.

    With `kept` the folder is that one: what lies in it is used again, and it stays.
    """
    if kept is None:
        folder = Path(tempfile.mkdtemp(prefix="eventhub-bench-"))
    else:
        folder = kept
        folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the server may run as a user of its own
    postgres = EmbeddedPostgres(folder / "postgres")
    redis = EmbeddedRedis(folder / "redis")
    try:
        postgres.start()
        redis.start()
        os.environ.update(
            DATABASE_URL=postgres.url,
            REDIS_URL=redis.url,
            SECRET_KEY="benchmarks-only",
            LOG_LEVEL="WARNING",
            DJANGO_SETTINGS_MODULE="eventhub.settings",
        )
        os.environ.pop("CELERY_BROKER_URL", None)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield folder
    finally:
        redis.stop()
        postgres.stop()
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def bodies(count: int) -> Iterator[bytes]:
    """`count` native events of about 400 bytes, of a few types, in traces of five, over the last hour."""
    choice = random.Random(20_000)
    start = datetime.now(UTC) - timedelta(hours=1)
    for number in range(count):
        order = number // len(TYPES)
        event = {
            "event_id": str(uuid.UUID(int=choice.getrandbits(128), version=4)),
            "event_type": TYPES[number % len(TYPES)],
            "event_version": "1",
            "timestamp": (start + timedelta(milliseconds=number * 10)).isoformat(),
            "data": {
                "order_id": order,
                "total": f"{choice.randrange(10_000) / 100:.2f}",
                "sku": f"A-{order % 977}",
            },
            "metadata": {
                "source": TYPES[number % len(TYPES)].split(".")[0],
                "correlation_id": f"trace-{order:032d}",
                "causation_id": str(uuid.UUID(int=choice.getrandbits(128), version=4)),
                "stream": f"order-{order}",
                "stream_version": number % len(TYPES),
            },
        }
        yield json.dumps(event).encode()


def fill(stream: str, messages: list[bytes]) -> None:
    """Put `messages` into a Redis stream."""
    import redis

    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    for start in range(0, len(messages), 1000):
        with client.pipeline(transaction=False) as pipeline:
            for body in messages[start : start + 1000]:
                pipeline.xadd(stream, {"body": body})
            pipeline.execute()
    client.close()


@contextmanager
def ingest_worker(name: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker with ``--ingest``, as in production, ended at the end."""
    command = [sys.executable, "-m", "celery", "-A", "eventhub", "worker", "--ingest", "--pool", "threads"]
    command += [
        "--concurrency",
        "1",
        "--queues",
        "ingest",
        "--hostname",
        f"{name}@bench",
        "--loglevel",
        "WARNING",
    ]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def declare_schema() -> None:
    """A schema that one of the benchmark's event types is checked against."""
    from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion

    schema = {"type": "object", "required": ["order_id"], "properties": {"total": {"type": "string"}}}
    order_placed, _ = EventType.objects.get_or_create(name="order.placed")
    SchemaVersion.objects.get_or_create(
        event_type=order_placed, version="1", defaults={"status": SchemaStatus.ACTIVE, "schema": schema}
    )


def forget_events() -> None:
    """Empty the event store, which refuses that otherwise, so that the next run begins as this one did."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # triggers do not fire
        cursor.execute("TRUNCATE events_event")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("CHECKPOINT")


def ingest_rate(source: "Source", folder: Path, workers: list[str], count: int, timeout_s: float) -> float:
    """Events a second that `workers` commit, until all `count` events of `source` are rows.

    Told by the rows themselves: each transaction marks its rows with the time at which it began. What lies between
    the first and the last of these is counted, so starting and joining is not.
    """
    with ExitStack() as running:
        for name in workers:
            running.enter_context(ingest_worker(name, folder))
        _wait_until_all_report(source, count, time.monotonic() + timeout_s)
    batches = _batches(source)
    if (stored := sum(batches.values())) != count:
        raise AssertionError(f"{stored:,} rows are stored instead of {count:,}")
    times = sorted(batches)
    return (count - batches[times[-1]]) / (times[-1] - times[0]).total_seconds()


def _wait_until_all_report(source: "Source", count: int, deadline: float) -> None:
    from django.db.models import Sum

    from eventhub.brokers.models import SourceStatus

    while time.monotonic() < deadline:
        reported = SourceStatus.objects.filter(source=source).aggregate(n=Sum("messages_total"))["n"] or 0
        if reported >= count:
            return
        time.sleep(0.25)
    raise TimeoutError(f"{source.name}: {reported:,} of {count:,} messages were ingested in time")


def _batches(source: "Source") -> dict[datetime, int]:
    """The rows of each transaction, by when it began."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT recorded_at, count(*) FROM events_event WHERE origin_id = %s GROUP BY 1", [source.pk]
        )
        return dict(cursor.fetchall())


def wait_for_messages(worker: str, count: int, timeout_s: float) -> float:
    """Wait until this worker has committed and acknowledged `count` messages; the seconds it took it.

    Both ends are told by the worker itself: when it began to run the source, and its last acknowledged batch.
    """
    from eventhub.brokers.models import SourceStatus

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status = SourceStatus.objects.filter(worker=f"{worker}@bench").first()
        if status and status.last_batch_at and status.messages_total >= count:
            return (status.last_batch_at - status.started_at).total_seconds()
        time.sleep(0.25)
    raise TimeoutError(f"the worker did not ingest {count:,} messages within {timeout_s:.0f} s")
