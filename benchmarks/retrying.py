"""Dead letters in bulk, and how fast a worker sends them again, as in production: by a job."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import stage

if TYPE_CHECKING:  # at run time only after Django is set up
    from eventhub.brokers.models import Source
    from eventhub.events.message import Message

SERVICES = ("shipping", "billing", "email")
INTAKE_BATCH = 5_000


def died(source: "Source", messages: Sequence["Message"]) -> None:
    """Take `messages` from a dead-letter queue in: as many open letters, in three groups."""
    from django.db import connection, transaction

    from dlq import intake
    from dlq.dead_letter_queues import read

    for start in range(0, len(messages), INTAKE_BATCH):
        with transaction.atomic():
            intake.record(source, [read(message) for message in messages[start : start + INTAKE_BATCH]])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def death(number: int, topic: str) -> dict[str, str]:
    """Headers of a message that a service gave up on."""
    return {
        "content-type": "application/json",
        "dlq-origin-stream": topic,
        "dlq-group": SERVICES[number % len(SERVICES)],
        "dlq-error-class": "shop.CarrierTimeout",
        "dlq-error-message": f"The carrier did not answer for order {number}",
        "dlq-attempts": "3",
    }


@contextmanager
def task_worker(folder: Path) -> Iterator[None]:
    """A Celery worker for tasks, as in production, ready when this begins and ended at the end."""
    from eventhub.celery import app

    command = [sys.executable, "-m", "celery", "-A", "eventhub", "worker", "--concurrency", "1"]
    command += ["--queues", "tasks", "--hostname", "tasks@bench", "--loglevel", "WARNING"]
    with (folder / "tasks.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=stage.ROOT, stdout=log, stderr=log)
        try:
            while not app.control.ping(timeout=1.0):
                if process.poll() is not None:
                    raise RuntimeError(f"the worker ended by itself; see {log.name}")
            yield
        finally:
            process.terminate()
            process.wait(60)


def rate(source: "Source", count: int, timeout_s: float = 600) -> float:
    """Letters a second from the request to retry all letters of `source` until the broker has confirmed the last."""
    from dlq.filter import Filter
    from dlq.jobs import starting
    from dlq.jobs.selection import of_filter
    from dlq.jobs.tally import read_tally
    from eventhub.access.audit import Actor

    job = starting.start(of_filter(Filter(source=source.name)), Actor("benchmark"))
    deadline = time.monotonic() + timeout_s
    while not job.is_finished:
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"retry job {job.pk} is still {job.state} after {timeout_s:.0f} s: {job.reason}"
            )
        time.sleep(0.25)
        job.refresh_from_db()
    tally = read_tally(job)
    if tally.sent != count or tally.resent:
        raise AssertionError(f"{tally.sent:,} of {count:,} letters were sent, {tally.resent:,} of them twice")
    assert job.finished_at
    return count / (job.finished_at - job.requested_at).total_seconds()
