"""Who drives a job: one worker at a time, for as long as it says that it lives.

A lease is a token on the job's row. Its holder prolongs it every few seconds; when the holder is killed, the lease
runs out and the next worker takes the job, with a new token. Whoever holds an old token finds out at the next step,
because every step that matters asks for the token in its transaction.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from dlq.models import JobState, RetryJob

log = logging.getLogger(__name__)
LASTS = timedelta(seconds=10)
BEAT_EVERY_S = 2.5


class LeaseLost(Exception):
    """Another worker drives the job by now: stop, and touch nothing more of it."""


def due(now: datetime) -> Q:
    """Jobs that a worker should drive now."""
    waits = Q(is_finished=False, next_at__lte=now) & ~Q(state=JobState.PAUSED)
    return waits & (Q(lease_until=None) | Q(lease_until__lt=now))


@transaction.atomic
def take(job_id: int | None = None) -> RetryJob | None:
    """Take the lease of this job, or of the due job that waited longest; None when there is none to take."""
    now = timezone.now()
    jobs = RetryJob.objects.filter(due(now)).order_by("next_at")
    if job_id is not None:
        jobs = jobs.filter(pk=job_id)
    job = jobs.select_for_update(skip_locked=True).first()
    if job is None:
        return None
    job.lease_token = uuid.uuid4()
    job.lease_holder = f"{socket.gethostname()}:{os.getpid()}"
    job.lease_until = now + LASTS
    job.save(update_fields=["lease_token", "lease_holder", "lease_until"])
    return job


def lock(job: RetryJob, *, without: Sequence[str] = ()) -> RetryJob:
    """The job's row, locked and as it is now, `without` these columns; call it in a transaction. Raises LeaseLost."""
    locked = RetryJob.objects.select_for_update().defer(*without)
    try:
        return locked.get(pk=job.pk, lease_token=job.lease_token)
    except RetryJob.DoesNotExist:
        raise LeaseLost(f"Another worker drives retry job {job.pk} now.") from None


def give_back(job: RetryJob, next_at: datetime, taken_for: datetime) -> None:
    """Let go of the lease; the job is due again at `next_at`.

    Unless a person wanted it to go on meanwhile: then it is not due when it was taken (`taken_for`) any more.
    """
    RetryJob.objects.filter(pk=job.pk, lease_token=job.lease_token).update(
        lease_token=None,
        lease_holder="",
        lease_until=None,
        next_at=Case(When(next_at=taken_for, then=Value(next_at)), default=F("next_at")),
    )


def is_any_due() -> bool:
    """Whether a job waits for a worker."""
    return RetryJob.objects.filter(due(timezone.now())).exists()


class Heartbeat:
    """Prolongs a lease from a thread of its own, so that a slow broker does not look like a dead worker."""

    def __init__(self, job: RetryJob) -> None:
        self._job_id, self._token = job.pk, job.lease_token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease of retry job {job.pk}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_EVERY_S):
            try:
                RetryJob.objects.filter(pk=self._job_id, lease_token=self._token).update(
                    lease_until=timezone.now() + LASTS
                )
            except (DatabaseError, InterfaceError) as error:
                log.warning("The lease of retry job %d could not be prolonged: %s", self._job_id, error)
                connection.close()
        connection.close()  # nobody else closes a thread's connection
