from django.db import models
from django.db.models.functions import Now


class OutboxMessage(models.Model):
    """An event written in the transaction of the change it tells of, and relayed afterwards.

    `body` is a native envelope or a structured CloudEvent. `published_at` is set by the relay after the event is
    safely stored or confirmed.
    """

    topic = models.TextField()
    key = models.TextField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], name="outbox_waiting", condition=models.Q(published_at__isnull=True)),
            models.Index(
                fields=["published_at"],
                name="outbox_published",
                condition=models.Q(published_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"
