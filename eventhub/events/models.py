from django.db import models


class Event(models.Model):
    """One stored event. The table is append-only and partitioned by day: see ``migrations/0001_initial.py``.

    `position` and `txid` together give the global order: readers that follow the log take what is below the
    snapshot horizon (``eventhub.events.store.SETTLED``), so that a late commit is never skipped.
    """

    position = models.BigIntegerField(primary_key=True)
    txid = models.BigIntegerField(editable=False)
    event_id = models.TextField()
    event_type = models.TextField()
    event_version = models.TextField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    source = models.TextField(null=True, help_text="The service that published the event.")
    correlation_id = models.TextField(null=True)
    causation_id = models.TextField(null=True)
    stream = models.TextField(null=True)
    stream_version = models.BigIntegerField(null=True)
    data = models.JSONField(null=True)
    metadata = models.JSONField(default=dict)
    message_key = models.TextField(null=True, help_text="The key of the message it came in.")
    headers = models.JSONField(null=True, help_text="The headers of the message it came in.")
    origin_id = models.BigIntegerField(null=True, help_text="The broker Source it was read from.")
    origin_topic = models.TextField(null=True)
    origin_partition = models.IntegerField(null=True)
    origin_offset = models.TextField(null=True)
    is_undated = models.BooleanField(
        null=True,
        help_text="True: its producer told no time, and `occurred_at` is the broker's, or the arrival's.",
    )

    class Meta:
        managed = False
        db_table = "events_event"
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"


class MutatedDuplicate(models.Model):
    """An event that arrived under an id already stored, with other content: a broken promise of immutability.

    The first content stays in the store; this one is kept aside as evidence, once for each different content.
    """

    event_id = models.TextField(db_index=True)
    occurred_at = models.DateTimeField()
    event_type = models.TextField()
    source = models.TextField(null=True, blank=True)
    content = models.TextField(help_text="The whole differing event, as JSON text.")
    content_digest = models.CharField(max_length=64)
    origin_id = models.BigIntegerField(null=True)
    times_seen = models.IntegerField(default=1)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(fields=["event_id", "content_digest"], name="mutated_duplicate_once")
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"
