from django.contrib.postgres.fields import ArrayField
from django.db import models

from eventhub.brokers.models import Kind, Source


class WatchedBroker(models.Model):
    """A broker on which all consumer groups and queues are watched, and how the last look at it went."""

    kind = models.CharField(max_length=20, choices=Kind)
    name = models.TextField(help_text="Where it is: its addresses, and the virtual host or region.")
    asked_at = models.DateTimeField()
    took_s = models.FloatField(default=0)
    error = models.TextField(blank=True, help_text="Why it could not tell; empty when it could.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="watched_broker_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class WatchedGroup(models.Model):
    """A consumer group, or a queue and its readers, as it stood at the last look."""

    broker = models.ForeignKey(WatchedBroker, on_delete=models.CASCADE, related_name="groups")
    name = models.TextField()
    looked_at = models.DateTimeField(db_index=True)
    status = models.CharField(max_length=20, help_text="monitoring.lag.groups.rules.Status")
    since = models.DateTimeField(help_text="When it took this status.")
    messages = models.BigIntegerField(null=True, help_text="Null: nobody could tell.")
    seconds = models.FloatField(null=True, help_text="How long the oldest waiting message has waited.")
    pending = models.BigIntegerField(null=True, help_text="Delivered, not yet acknowledged.")
    delayed = models.BigIntegerField(null=True)
    consumers = models.IntegerField(null=True)
    in_per_s = models.FloatField(null=True)
    out_per_s = models.FloatField(null=True)
    growth_per_s = models.FloatField(null=True, help_text="The backlog's trend; negative: it shrinks.")
    capacity = models.BigIntegerField(null=True)
    topics = ArrayField(models.TextField(), default=list)
    # As monitoring.lag.groups.looking.PartNow.
    parts = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["broker", "name"], name="watched_group_once")]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"


class GroupMinute(models.Model):
    """The most that waited for a group in one minute: its history."""

    group = models.ForeignKey(WatchedGroup, on_delete=models.CASCADE, related_name="history")
    minute = models.DateTimeField(db_index=True)
    status = models.CharField(max_length=20)
    messages = models.BigIntegerField(null=True)
    seconds = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "minute"], name="group_minute_once")]

    def __str__(self) -> str:
        return f"{self.minute:%F %H:%M} {self.messages}"


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


class SourceMinute(models.Model):
    """The most that waited for EventHub in a source in one minute: its history, for longer than samples are kept."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="lag_history")
    minute = models.DateTimeField(db_index=True)
    messages = models.BigIntegerField(null=True)
    seconds = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "minute"], name="source_minute_once")]

    def __str__(self) -> str:
        return f"{self.minute:%F %H:%M} {self.messages}"


class LagProbe(models.Model):
    """The last attempt to ask a source's broker for its lag."""

    source = models.OneToOneField(
        Source, on_delete=models.CASCADE, primary_key=True, related_name="lag_probe"
    )
    asked_at = models.DateTimeField()
    error = models.TextField(blank=True, help_text="Why it could not tell; empty when it could.")

    def __str__(self) -> str:
        return f"{self.source}: {self.error or 'known'}"
