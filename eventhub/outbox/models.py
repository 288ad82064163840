from django.db import models
from django.db.models.functions import Now


class OutboxMessage(models.Model):
    """An event written in the transaction of the change it tells of, and relayed afterwards.

    `body` is a native envelope or a structured CloudEvent. `published_at` is set after the event is safely stored or
    confirmed: by the reader of a source of the kind outbox, or by the relay (relay.py). The last four are the relay's.
    """

    topic = models.TextField()
    key = models.TextField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True, blank=True)
    attempts = models.SmallIntegerField(db_default=0, help_text="How often a broker refused it.")
    due_at = models.DateTimeField(null=True, blank=True, help_text="Not to be tried again before.")
    dead_at = models.DateTimeField(null=True, blank=True, help_text="When it was given up.")
    error = models.TextField(db_default="", blank=True, help_text="Why a broker refused it last.")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], name="outbox_waiting", condition=models.Q(published_at__isnull=True)),
            models.Index(
                fields=["published_at"],
                name="outbox_published",
                condition=models.Q(published_at__isnull=False),
            ),
            models.Index(
                fields=["due_at"],
                name="outbox_refused",
                condition=models.Q(published_at__isnull=True, attempts__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"


class InboxEntry(models.Model):
    """An event that a consumer has processed: written in the transaction of the processing, so it is done once."""

    consumer = models.TextField()
    event_id = models.TextField()
    processed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consumer", "event_id"], name="inbox_once")]
        indexes = [models.Index(fields=["processed_at"], name="inbox_age")]

    def __str__(self) -> str:
        return f"{self.consumer}: {self.event_id}"
