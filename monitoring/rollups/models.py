from django.contrib.postgres.fields import ArrayField
from django.db import models


class Grain(models.IntegerChoices):
    """The width of a bucket in seconds."""

    SECOND = 1
    MINUTE = 60
    HOUR = 3600


class Rollup(models.Model):
    """Counts of one bucket of recorded time. Rows are only ever added, several for the same bucket; readers sum.

    Ingest adds second rows in the transaction that stores the events; the merge task replaces seconds by minutes
    and minutes by hours in one statement each, so that a sum over any range is right at every moment.
    A histogram is sparse and log-scaled (``monitoring/rollups/histogram.py``): two arrays of equal length, the
    bucket numbers and their counts.
    """

    grain = models.SmallIntegerField(choices=Grain)
    bucket = models.DateTimeField()
    origin_id = models.BigIntegerField(null=True, help_text="The broker Source.")
    broker = models.CharField(
        max_length=20,
        blank=True,
        help_text="The kind of the Source, which may be deleted; empty for what came through none.",
    )
    event_type = models.TextField(blank=True, help_text="Empty for what could not be read.")
    service = models.TextField(
        blank=True, help_text="The service that published, or that reported a delivery."
    )
    received = models.BigIntegerField(default=0, help_text="Events stored.")
    size_bytes = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    dead_letters = models.BigIntegerField(default=0)
    invalid = models.BigIntegerField(default=0, help_text="Stored though they do not fit their schema.")
    handled = models.BigIntegerField(default=0, help_text="Deliveries that succeeded, by receipts.")
    failed = models.BigIntegerField(default=0, help_text="Deliveries that failed, by receipts.")
    arrival_buckets = ArrayField(models.SmallIntegerField(), default=list)
    arrival_counts = ArrayField(models.BigIntegerField(), default=list)
    processing_buckets = ArrayField(models.SmallIntegerField(), default=list)
    processing_counts = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        indexes = [models.Index(fields=["bucket", "grain"], name="rollup_bucket")]

    def __str__(self) -> str:
        return f"{self.bucket:%F %T} {self.event_type}: {self.received}"
