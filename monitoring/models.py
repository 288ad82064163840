from django.db import models

from monitoring.alerts.models import Alert, AlertRule, Channel, Notice, Silence
from monitoring.lag.models import GroupMinute, LagProbe, LagSample, SourceMinute, WatchedBroker, WatchedGroup

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
    "SourceMinute",
    "VersionWatch",
    "WatchedBroker",
    "WatchedGroup",
]


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
