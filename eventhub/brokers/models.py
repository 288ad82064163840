from typing import Any

from django.db import models

from eventhub.brokers.kinds import Kind, Role
from eventhub.brokers.secrets import keeping

__all__ = ["Kind", "Role", "Source", "SourceStatus", "State"]


class Source(models.Model):
    """A tap: where messages come from, and how to reach them."""

    name = models.SlugField(max_length=60, unique=True)
    kind = models.CharField(max_length=20, choices=Kind)
    role = models.CharField(max_length=20, choices=Role, default=Role.EVENTS)
    enabled = models.BooleanField(default=True, help_text="Off: no worker runs it.")
    paused = models.BooleanField(default=False, help_text="On: workers keep it ready, but read nothing.")
    config = models.JSONField(
        default=dict,
        blank=True,
        help_text="What the kind of broker needs; see docs/sources.md.",
    )
    secrets = models.TextField(
        blank=True, editable=False, help_text="The config's secret fields, encrypted; never shown."
    )
    mapping = models.JSONField(
        default=dict,
        blank=True,
        help_text="For JSON that is no event by itself: a JMESPath expression for each field of the envelope.",
    )
    max_events_per_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="It is read no faster than this; empty: as fast as it goes."
    )
    max_bytes_per_s = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The same in bytes of its messages."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; what is secret in the config moves to the secrets first, encrypted."""
        fields = kwargs.get("update_fields")
        if fields is None or "config" in fields:
            keeping.move(self)
            if fields is not None:
                kwargs["update_fields"] = {*fields, "secrets"}
        super().save(*args, **kwargs)


class State(models.TextChoices):
    """What a worker last said about a source."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    FAILING = "failing", "failing: retrying with backoff"
    STOPPED = "stopped"


class SourceStatus(models.Model):
    """A worker's heartbeat for one source. Written every few seconds; old when the worker is gone."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="statuses")
    worker = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=State)
    heartbeat_at = models.DateTimeField()
    started_at = models.DateTimeField()
    last_batch_at = models.DateTimeField(null=True)
    last_batch_size = models.IntegerField(null=True)
    messages_total = models.BigIntegerField(default=0, help_text="Since this worker started the source.")
    restarts = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True)
    slowed_at = models.DateTimeField(null=True, help_text="When a limit of the source held it up last.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "worker"], name="source_status_once")]
        verbose_name_plural = "source statuses"

    def __str__(self) -> str:
        return f"{self.source} on {self.worker}: {self.state}"


class ReadPosition(models.Model):
    """How far a source has read what its broker keeps no account of: a stream of RabbitMQ.

    What stands up to here is stored. Deleted, reading begins again where the source's config says.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="read_positions")
    queue = models.TextField()
    offset = models.BigIntegerField(help_text="Of the last message that was stored.")
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "queue"], name="read_position_once")]

    def __str__(self) -> str:
        return f"{self.source} in {self.queue}: {self.offset}"
