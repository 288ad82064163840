"""The row of a job, as the worker that drives it writes it: under its lease, and never over what people decided."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from dlq.jobs import batches, lease
from dlq.models import JobState, Retry, RetryJob
from eventhub.access import audit

log = logging.getLogger(__name__)
# How the log tells that a job has stopped.
_LOUDNESS = {
    JobState.DONE: logging.INFO,
    JobState.CANCELLED: logging.INFO,
    JobState.PAUSED: logging.WARNING,
    JobState.FAILED: logging.WARNING,
}


class Row:
    """A job whose lease this worker has, as it was read or written last. Its steps raise LeaseLost."""

    def __init__(self, job: RetryJob) -> None:
        self.job = job

    def refresh(self) -> None:
        """Read what people decided about the job meanwhile."""
        token = self.job.lease_token
        self.job.refresh_from_db()
        if self.job.lease_token != token:
            self.job.lease_token = token
            raise lease.LeaseLost(f"Another worker drives retry job {self.job.pk} now.")

    def change(self, **changes: Any) -> None:
        """Change the job, unless a person stopped it meanwhile: what people decide stands."""
        with transaction.atomic():
            job = lease.lock(self.job)
            if "state" in changes and _is_stopped(job):
                changes = {name: value for name, value in changes.items() if name not in ("state", "reason")}
            _set(job, changes)
        self.job = job
        if _is_stopped(job):
            log.log(_LOUDNESS[JobState(job.state)], "Retry job %d is %s. %s", job.pk, job.state, job.reason)

    def begin(
        self,
        retry_ids: Iterable[int],
        confirmed: Sequence[int],
        state: JobState,
        changes: Mapping[str, Any],
        resend: Sequence[int],
    ) -> set[int] | None:
        """One batch is out, the next one begins: one row says both, so that one batch at most is in flight.

        `confirmed` are out and not marked yet. Returns those that may be published: not those whose letters were
        repaired while they waited. None when somebody stopped the job.
        """
        with transaction.atomic():
            job = lease.lock(self.job, without=batches.NAMED)
            begun = None if _is_stopped(job) else batches.still_claimed(retry_ids)
            batches.name(job, self.job.in_flight if begun is None else sorted(begun), confirmed)
            if begun is not None:
                started_at = job.started_at or timezone.now()
                _set(job, {"state": state, "reason": "", "started_at": started_at, **changes})
                if again := [pk for pk in resend if pk in begun]:
                    _audit_resend(job, again)
        self.job = job
        return begun

    def interrupt(self, retry_ids: Sequence[int]) -> None:
        """Nothing is in flight any more, and of these it is not known whether they are out."""
        with transaction.atomic():
            job = lease.lock(self.job)
            batches.interrupt(retry_ids)
            _set(job, {"in_flight": []})
        self.job = job


def _is_stopped(job: RetryJob) -> bool:
    return job.is_over or job.state == JobState.PAUSED


def _set(job: RetryJob, changes: Mapping[str, Any]) -> None:
    changed = [name for name, value in changes.items() if getattr(job, name) != value]
    for name in changed:
        setattr(job, name, changes[name])
    if changed:
        job.save(update_fields=changed)


def _audit_resend(job: RetryJob, retry_ids: Sequence[int]) -> None:
    letters = list(
        Retry.objects.filter(pk__in=retry_ids).order_by("letter_id").values_list("letter_id", flat=True)
    )
    audit.record(
        audit.SYSTEM,
        "send again",
        f"retry job {job.pk}",
        job=job.pk,
        letters=letters,
        why="A worker was stopped while it published these: they may be at the target twice, under the same event ids.",
    )
