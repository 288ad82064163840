"""A retry of many letters as one durable piece of work, and rules about where letters go."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from dlq.models.letters import DeadLetter
from eventhub.brokers.models import Source


class JobState(models.TextChoices):
    """Where a job stands."""

    QUEUED = "queued", "gathering its letters"
    SCHEDULED = "scheduled", "waiting for its time"
    RUNNING = "running", "sending"
    CANARY = "canary", "waiting for the canary"
    PAUSED = "paused", "paused"
    DONE = "done", "done"
    CANCELLED = "cancelled", "cancelled"
    FAILED = "failed", "failed"


class RetryJob(models.Model):
    """Letters that somebody asked to send again: which, how, how far it is (``dlq/jobs/``).

    The letters are marked first, all of them: each has a `Retry` of this job, or a `SkippedLetter` that says why not.
    One worker at a time drives a job, by a lease; whatever kills it, the next one goes on from these rows.
    """

    ENDED: ClassVar = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)

    request_id = models.CharField(
        max_length=64,
        null=True,
        unique=True,
        help_text="The asker's own name for the request: asked again by it, the same job answers.",
    )
    title = models.TextField(help_text="Which letters, in words.")
    selection = models.JSONField(help_text="Which letters: ids, or a filter (dlq/jobs/selection.py).")
    options = models.JSONField(default=dict, help_text="How they are sent (dlq/jobs/options.py).")
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(auto_now_add=True)
    start_at = models.DateTimeField(null=True, help_text="Not before; empty: at once.")
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it is paused, failed, or waits at this moment.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    is_finished = models.BooleanField(
        default=False,
        help_text="It has ended, and no letter of it is claimed any more: nothing is left to do.",
    )
    # Marking: letters up to the first, of which those up to the second are marked.
    last_letter_id = models.BigIntegerField(default=0)
    marked_letter_id = models.BigIntegerField(default=0)
    is_marked = models.BooleanField(default=False)
    marked_count = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0, help_text="Letters of the selection that are left alone.")
    tally = models.JSONField(
        default=dict, help_text="Its letters by what became of them (dlq/jobs/tally.py)."
    )
    tallied_at = models.DateTimeField(null=True)
    # Pace
    canary_passed = models.BooleanField(default=False)
    step = models.IntegerField(default=0, help_text="Of the ramp.")
    step_started_at = models.DateTimeField(null=True)
    judged_from = models.DateTimeField(
        null=True, help_text="Returns of what was sent before are overlooked: a person saw them and resumed."
    )
    tokens = models.FloatField(default=0, help_text="What the rate limit allows to send at `tokens_at`.")
    tokens_at = models.DateTimeField(null=True)
    troubles = models.IntegerField(default=0, help_text="Batches in a row that the broker did not take.")
    # The batch that is being published, committed before the broker is called, and the one before
    in_flight = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text="Retries: those of them that are still claimed may be out or not.",
    )
    confirmed = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text="Retries that the broker has: those of them that are still claimed have yet to say so.",
    )
    # Who drives it
    next_at = models.DateTimeField(default=timezone.now)
    lease_token = models.UUIDField(null=True)
    lease_holder = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_at"],
                name="retry_job_due",
                condition=models.Q(is_finished=False),
            )
        ]

    def __str__(self) -> str:
        return f"Retry job {self.pk}: {self.title}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended; outcomes may still arrive."""
        return self.state in self.ENDED


class SkipReason(models.TextChoices):
    """Why a letter of a job's selection is left alone."""

    RESOLVED = "resolved", "It is resolved already."
    DISCARDED = "discarded", "It is discarded. Reopen it first."
    AWAITED = "awaited", "It was sent already, and its outcome is awaited."
    IN_JOB = "in_job", "It waits in another retry job."


class SkippedLetter(models.Model):
    """A letter of a job's selection that the job leaves alone."""

    job = models.ForeignKey(
        RetryJob, on_delete=models.CASCADE, related_name="skipped_letters", db_index=False
    )
    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="+")
    why = models.CharField(max_length=10, choices=SkipReason)
    other_job = models.ForeignKey(
        RetryJob, null=True, on_delete=models.SET_NULL, related_name="+", help_text="The job that has it."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "letter"], name="skipped_once")]

    def __str__(self) -> str:
        return f"{self.letter_id}: {self.get_why_display()}"


class RedirectRule(models.Model):
    """Letters for one topic go to another: it was renamed or retired. The first rule that fits decides."""

    source = models.ForeignKey(
        Source,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="redirect_rules",
        help_text="Only letters of this source; empty: of any.",
    )
    pattern = models.CharField(
        max_length=250,
        help_text="The topic or queue they were for; * stands for anything, as in “orders.v1.*”.",
    )
    to_topic = models.CharField(max_length=250, help_text="Where they go instead, at the same broker.")
    why = models.TextField(help_text="For those who wonder later.")
    enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.pattern} → {self.to_topic}"
