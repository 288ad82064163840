from django.db import models

from eventhub.brokers.models import Source


class Reason(models.TextChoices):
    """Why a message became a dead letter."""

    UNDECODABLE = "undecodable", "could not be read"
    INVALID = "invalid", "does not fit its schema"
    UNSTORABLE = "unstorable", "could not be stored"
    SERVICE = "service", "a service gave up on it"


class Status(models.TextChoices):
    """Where a letter stands. `sent`: its retry was published and its outcome is not known yet."""

    OPEN = "open"
    SENT = "sent", "retry sent"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class DeadLetterGroup(models.Model):
    """Dead letters that died of the same thing, by fingerprint (``dlq/fingerprint.py``)."""

    fingerprint = models.CharField(max_length=64, unique=True)
    title = models.TextField()
    reason = models.CharField(max_length=12, choices=Reason)
    letters = models.BigIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return self.title


class DeadLetter(models.Model):
    """One message that died, kept whole: the bytes, the headers, where it was, and why."""

    group = models.ForeignKey(DeadLetterGroup, on_delete=models.PROTECT, related_name="members")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="dead_letters")
    reason = models.CharField(max_length=12, choices=Reason)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    origin_key = models.TextField(
        unique=True, help_text="What stays the same when the broker delivers the message again."
    )
    # The message
    body = models.BinaryField()
    size_bytes = models.BigIntegerField(help_text="Of the whole body, also where only its beginning is kept.")
    headers = models.JSONField(default=dict)
    key = models.TextField(null=True)
    topic = models.TextField(help_text="Where a retry goes: the topic or queue the message was for.")
    partition = models.IntegerField(null=True)
    offset = models.TextField(blank=True)
    # The event, as far as it could be read
    event_id = models.TextField(null=True, db_index=True)
    event_type = models.TextField(null=True)
    event_version = models.TextField(null=True)
    correlation_id = models.TextField(null=True, db_index=True)
    causation_id = models.TextField(null=True)
    event_source = models.TextField(null=True, help_text="The service that published it.")
    # The failure
    failed_in = models.TextField(blank=True, help_text="The service or consumer group that failed on it.")
    error_class = models.TextField(blank=True)
    error_message = models.TextField()
    stack = models.TextField(blank=True)
    attempts = models.IntegerField(default=1, help_text="How often handling it was tried, as far as known.")
    first_failed_at = models.DateTimeField()
    last_failed_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    closed_note = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "-id"], name="dead_letter_status")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.event_type or self.topic}: {self.error_message[:80]}"


class RetryState(models.TextChoices):
    """What became of one retry."""

    CLAIMED = "claimed", "being published"
    PUBLISHED = "published", "published, outcome not known yet"
    SUCCEEDED = "succeeded"
    FAILED_AGAIN = "failed_again", "came back"
    NOT_PUBLISHED = "not_published", "could not be published"


class Retry(models.Model):
    """One retry of one dead letter: asked for by whom, sent where, and its outcome."""

    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="retries")
    attempt = models.IntegerField(help_text="The attempt number the message carries.")
    state = models.CharField(max_length=14, choices=RetryState, default=RetryState.CLAIMED)
    destination = models.TextField()
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "retries"
        constraints = [
            models.UniqueConstraint(
                fields=["letter"],
                name="one_retry_at_a_time",
                condition=models.Q(state__in=["claimed", "published"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.letter} attempt {self.attempt}: {self.state}"
