from django.db import models


class ValidationMode(models.TextChoices):
    """What happens to an event that does not fit its active schema."""

    OFF = "off", "off: not checked"
    WARN = "warn", "warn: stored, and counted as a finding"
    ENFORCE = "enforce", "enforce: goes to the dead letters"


class EventType(models.Model):
    """A type of event that was seen or declared. Created by ingest when the first event of it arrives."""

    name = models.TextField(unique=True)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=100, blank=True, help_text="The team to ask.")
    validation = models.CharField(max_length=8, choices=ValidationMode, default=ValidationMode.WARN)
    first_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SchemaStatus(models.TextChoices):
    """A version is written as a draft, checked while active, and kept for old events when retired."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class SchemaVersion(models.Model):
    """The JSON Schema (2020-12) of the `data` of one version of an event type."""

    event_type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=50, help_text="As events carry it in event_version.")
    status = models.CharField(max_length=8, choices=SchemaStatus, default=SchemaStatus.DRAFT)
    schema = models.JSONField()
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["event_type__name", "version"]
        constraints = [models.UniqueConstraint(fields=["event_type", "version"], name="schema_version_once")]

    def __str__(self) -> str:
        return f"{self.event_type} v{self.version} ({self.status})"
