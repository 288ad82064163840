"""What people do to a job that runs: pause, resume, start now, cancel."""

from django.db import transaction
from django.utils import timezone

from dlq.jobs import batches, tally
from dlq.jobs.options import read_options
from dlq.jobs.progress import PAUSED_BY
from dlq.jobs.starting import wake_a_worker
from dlq.models import JobState, RetryJob
from dlq.retry import NotNow
from eventhub.access import audit
from eventhub.access.audit import Actor

# Given back while the person waits; a worker gives back the rest.
RELEASED_AT_ONCE = 1_000


def pause(job_id: int, actor: Actor) -> RetryJob:
    """Send nothing more until it is resumed; the batch that is being published still goes out. Raises NotNow."""
    with transaction.atomic():
        job = _locked(job_id)
        if job.is_over:
            raise NotNow(f"The job is {job.get_state_display()} already.")
        if job.state == JobState.PAUSED:
            raise NotNow("The job is paused already.")
        job.state, job.reason = JobState.PAUSED, f"{PAUSED_BY}{actor.name}."
        job.save(update_fields=["state", "reason"])
        audit.record(actor, "pause", f"retry job {job.pk}")
    return job


def resume(job_id: int, actor: Actor) -> RetryJob:
    """Go on: a paused job, whatever paused it; a scheduled one begins now. Raises NotNow."""
    with transaction.atomic():
        job = _locked(job_id)
        if job.state not in (JobState.PAUSED, JobState.SCHEDULED):
            raise NotNow(
                f"Only a paused or scheduled job can be resumed; this one is {job.get_state_display()}."
            )
        now = timezone.now()
        if job.state == JobState.PAUSED and job.start_at and job.start_at > now:
            job.state = JobState.SCHEDULED
        else:
            job.state, job.start_at = (JobState.RUNNING if job.is_marked else JobState.QUEUED), None
        job.reason, job.troubles, job.next_at = "", 0, now
        _overlook_what_paused_it(job)
        job.save()
        audit.record(actor, "resume", f"retry job {job.pk}")
    wake_a_worker()
    return job


def cancel(job_id: int, actor: Actor) -> RetryJob:
    """Send nothing more, ever; letters that did not go out are free again. Raises NotNow."""
    with transaction.atomic():
        job = _locked(job_id)
        if job.is_over:
            raise NotNow(f"The job is {job.get_state_display()} already.")
        now = timezone.now()
        job.state, job.reason, job.finished_at, job.next_at = (
            JobState.CANCELLED,
            f"Cancelled by {actor.name}.",
            now,
            now,
        )
        job.save(update_fields=["state", "reason", "finished_at", "next_at"])
        audit.record(actor, "cancel", f"retry job {job.pk}")
    batches.withdraw(job, f"{actor.name} cancelled the job before its turn came.", RELEASED_AT_ONCE)
    wake_a_worker()
    return job


def _overlook_what_paused_it(job: RetryJob) -> None:
    """Whoever resumes has seen what came back: the canary has done its work, a ramp begins anew."""
    counted = tally.refresh(job)
    if read_options(job.options).canary and not job.canary_passed:
        job.canary_passed = bool(counted.returned or counted.not_published or counted.uncertain)
        if not job.canary_passed:
            return
    job.step, job.step_started_at, job.judged_from = 0, None, timezone.now()


def _locked(job_id: int) -> RetryJob:
    try:
        return RetryJob.objects.select_for_update().get(pk=job_id)
    except RetryJob.DoesNotExist:
        raise NotNow(f"There is no retry job {job_id}.") from None
