"""One retry of one letter."""

from django.db import models

from dlq.models.jobs import RetryJob
from dlq.models.letters import DeadLetter


class RetryState(models.TextChoices):
    """What became of one retry."""

    CLAIMED = "claimed", "waiting to be sent"
    PUBLISHED = "published", "sent, outcome not known yet"
    SUCCEEDED = "succeeded", "succeeded"
    FAILED_AGAIN = "failed_again", "came back"
    NOT_PUBLISHED = "not_published", "could not be sent"
    UNCERTAIN = "uncertain", "interrupted, it may have been sent"
    NO_WORD = "no_word", "sent, never heard of again"
    WITHDRAWN = "withdrawn", "not sent, the job did not get to it"


# A letter has at most one retry in these states.
ALIVE = (RetryState.CLAIMED, RetryState.PUBLISHED)


class Retry(models.Model):
    """One retry of one dead letter, in one job: sent where, and its outcome.

    A claimed one that is not among its job's `in_flight` and has no `publish_started_at` was surely not sent. The
    latter is set when it was published, or when a crash left open whether it was.
    """

    # Jobs are never deleted, and who drops letters (`dlq.retention`) drops their retries: a constraint would look up
    # and lock both for every retry, and say nothing new.
    job = models.ForeignKey(
        RetryJob, on_delete=models.PROTECT, related_name="retries", db_index=False, db_constraint=False
    )
    letter = models.ForeignKey(
        DeadLetter, on_delete=models.CASCADE, related_name="retries", db_constraint=False
    )
    attempt = models.IntegerField(help_text="The attempt number the message carries.")
    state = models.CharField(max_length=14, choices=RetryState, default=RetryState.CLAIMED)
    pace_key = models.TextField(
        blank=True, help_text="What the job spaces out or keeps in order by; empty: not needed."
    )
    destination = models.TextField(blank=True, help_text="In words; empty until it is begun.")
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(auto_now_add=True)
    publish_started_at = models.DateTimeField(null=True)
    sends = models.SmallIntegerField(
        default=0, help_text="How often publishing was begun: more than once after a crash in between."
    )
    published_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, help_text="Empty as long as it is alive.")
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "retries"
        constraints = [
            # `ALIVE`, said by a column that stays as it is when a retry is published: no index knows the states, so
            # that a row which is sent stays in its page, and in every index, as it is (its table leaves the room).
            models.UniqueConstraint(
                fields=["letter"],
                name="one_retry_at_a_time",
                condition=models.Q(finished_at__isnull=True),
            )
        ]
        indexes = [
            # Also the order of the letters: they are marked in the order of their ids.
            models.Index(fields=["job", "id"], name="retry_of_job"),
        ]

    def __str__(self) -> str:
        return f"{self.letter} attempt {self.attempt}: {self.state}"
