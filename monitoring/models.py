from django.db import models

from eventhub.brokers.models import Source


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
