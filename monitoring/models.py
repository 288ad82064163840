from django.db import models

from eventhub.brokers.models import Source
from monitoring.alerts.models import Alert, AlertRule, Channel, Notice, Silence
from monitoring.watch.models import GroupMinute, WatchedBroker, WatchedGroup

__all__ = [
    "Alert",
    "AlertRule",
    "Channel",
    "GroupMinute",
    "LagProbe",
    "LagSample",
    "Notice",
    "SeenVersion",
    "Silence",
    "VersionWatch",
    "WatchedBroker",
    "WatchedGroup",
]


class LagSample(models.Model):
    """What waited on one topic or queue of a source at one moment."""

    at = models.DateTimeField(db_index=True)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="lag_samples")
    topic = models.TextField()
    partition = models.IntegerField(null=True)
    group = models.TextField(blank=True)
    messages = models.BigIntegerField(null=True, help_text="Null when the broker cannot tell.")
    pending = models.BigIntegerField(null=True, help_text="Delivered, not yet acknowledged.")
    oldest_age_s = models.FloatField(null=True, help_text="Seconds the oldest waiting message has waited.")
    position = models.TextField(
        blank=True, help_text="Where the group stands, as the broker numbers messages."
    )
    end = models.TextField(blank=True, help_text="Where the topic ends.")

    class Meta:
        indexes = [models.Index(fields=["source", "-at"], name="lag_by_source")]

    def __str__(self) -> str:
        return f"{self.source} {self.topic}: {self.messages}"


class LagProbe(models.Model):
    """The last attempt to ask a source's broker for its lag."""

    source = models.OneToOneField(
        Source, on_delete=models.CASCADE, primary_key=True, related_name="lag_probe"
    )
    asked_at = models.DateTimeField()
    error = models.TextField(blank=True, help_text="Why it could not tell; empty when it could.")

    def __str__(self) -> str:
        return f"{self.source}: {self.error or 'known'}"


class SeenVersion(models.Model):
    """A version of an event type, and when the first event of it was stored."""

    event_type = models.TextField()
    version = models.TextField()
    first_seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_type", "version"], name="seen_version_once")]

    def __str__(self) -> str:
        return f"{self.event_type} v{self.version}"


class VersionWatch(models.Model):
    """How far the log was looked through for new versions. One row."""

    txid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.txid}/{self.position}"
