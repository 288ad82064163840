from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from eventhub.schemas.compatibility import Level

LEVELS = [(level.value, level.value) for level in Level]


class ValidationMode(models.TextChoices):
    """What happens to an event that does not fit its active schema."""

    DEFAULT = "default", "as the settings of schemas say"
    OFF = "off", "off: not checked"
    WARN = "warn", "warn: stored, and counted as a finding"
    ENFORCE = "enforce", "enforce: goes to the dead letters"


class Kind(models.TextChoices):
    """Whom an event is for."""

    DOMAIN = "domain", "domain: what happened, within its own context"
    INTEGRATION = "integration", "integration: for other teams, a contract"
    SYSTEM = "system", "system: of the machinery"


class Style(models.TextChoices):
    """How much an event says."""

    NOTIFICATION = "notification", "notification: that it happened; ask for the rest"
    STATE_TRANSFER = "state", "state transfer: all that a consumer needs"


class Lifecycle(models.TextChoices):
    """How far one may rely on an event type."""

    EXPERIMENTAL = "experimental", "experimental: may change at any time"
    STABLE = "stable", "stable"
    DEPRECATED = "deprecated", "deprecated: do not build on it any more"


class SchemaSettings(models.Model):
    """What holds for every event type that says nothing else. One row."""

    validation = models.CharField(
        max_length=8,
        choices=[choice for choice in ValidationMode.choices if choice[0] != ValidationMode.DEFAULT],
        default=ValidationMode.WARN,
    )
    compatibility = models.CharField(max_length=20, choices=LEVELS, default=Level.BACKWARD)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = verbose_name_plural = "settings of schemas"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="schema_settings_once")]

    def __str__(self) -> str:
        return f"{self.compatibility}, {self.validation}"

    @classmethod
    def load(cls) -> "SchemaSettings":
        """The row, or the defaults where it was never saved."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)


class EventType(models.Model):
    """A type of event that was seen or declared. Created by ingest when the first event of it arrives."""

    name = models.TextField(unique=True)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=100, blank=True, help_text="The team to ask.")
    lifecycle = models.CharField(max_length=12, choices=Lifecycle, default=Lifecycle.STABLE)
    kind = models.CharField(max_length=12, choices=Kind, blank=True)
    style = models.CharField(max_length=12, choices=Style, blank=True)
    docs_url = models.URLField(blank=True, help_text="Where more is written about it.")
    validation = models.CharField(max_length=8, choices=ValidationMode, default=ValidationMode.DEFAULT)
    compatibility = models.CharField(
        max_length=20,
        choices=LEVELS,
        blank=True,
        help_text="What a new version must keep to; empty: as the settings of schemas say.",
    )
    default_version = models.CharField(
        max_length=50,
        blank=True,
        help_text="The version that events without an event_version are checked against.",
    )
    # The subject of the registry whose schemas are this type's; empty: it has the type's name.
    subject = models.CharField(max_length=255, blank=True, db_index=True, editable=False)
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


class SchemaContent(models.Model):
    """A schema as it was registered, by the id under which clients ask for it: the same text has the same id."""

    text = models.TextField()
    digest = models.CharField(max_length=64, unique=True)
    # The schemas of other subjects that it refers to: [{"name", "subject", "version"}].
    references = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"schema {self.pk}"


class SchemaVersion(models.Model):
    """The JSON Schema (2020-12) of the `data` of one version of an event type."""

    event_type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=50, help_text="As events carry it in event_version.")
    # Versions of a type in the order in which they were made, from 1: what the registry calls a version.
    number = models.PositiveIntegerField(default=0, editable=False)
    status = models.CharField(max_length=8, choices=SchemaStatus, default=SchemaStatus.DRAFT)
    schema = models.JSONField()
    content = models.ForeignKey(
        SchemaContent, null=True, editable=False, on_delete=models.PROTECT, related_name="versions"
    )
    upcast = models.JSONField(
        null=True,
        blank=True,
        help_text='How data of the version before becomes data of this one: {"expression": JMESPath, "defaults": {…}}.',
    )
    note = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["event_type__name", "number"]
        constraints = [models.UniqueConstraint(fields=["event_type", "version"], name="schema_version_once")]

    def __str__(self) -> str:
        return f"{self.event_type} v{self.version} ({self.status})"

    def save(self, *args: object, **kwargs: object) -> None:
        """Numbered by itself. Raises ValidationError when the schema of a version that was active is changed."""
        if self.pk:
            before = SchemaVersion.objects.filter(pk=self.pk).values("status", "schema", "version").first()
            is_published = before is not None and before["status"] != SchemaStatus.DRAFT
            if (
                before
                and is_published
                and (before["schema"], before["version"]) != (self.schema, self.version)
            ):
                raise ValidationError(
                    f"Version {before['version']} is {before['status']}: events were written by it, so its schema "
                    "stays as it is. Make a new version."
                )
        if not self.number:
            last = SchemaVersion.objects.filter(event_type_id=self.event_type_id).aggregate(
                n=models.Max("number")
            )
            self.number = (last["n"] or 0) + 1
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class Treatment(models.TextChoices):
    """What happens to a field that tells of a person."""

    MASK = "mask", "mask: stored, and shown only to those who may see personal data"
    ENCRYPT = "encrypt", "encrypt: stored encrypted, and opened only for those who may see personal data"
    DROP = "drop", "drop: left out at ingest, never stored"


class PersonalField(models.Model):
    """A field of an event type's data that tells of a person (PII)."""

    event_type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="personal_fields")
    path = models.CharField(max_length=200, help_text="As $.customer.email or $.items[*].name.")
    treatment = models.CharField(max_length=8, choices=Treatment, default=Treatment.MASK)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["path"]
        permissions = [("see_personal_data", "Can see personal data of events")]
        constraints = [models.UniqueConstraint(fields=["event_type", "path"], name="personal_field_once")]

    def __str__(self) -> str:
        return f"{self.event_type} {self.path} ({self.treatment})"

    def clean(self) -> None:
        """Raises ValidationError when the path is none."""
        from eventhub.schemas.personal.paths import steps_of

        try:
            steps_of(self.path)
        except ValueError as error:
            raise ValidationError({"path": str(error)}) from error


class PersonalKey(models.Model):
    """What the encrypted personal fields of the events of a month are opened with. Without it nobody reads them."""

    name = models.CharField(
        max_length=7, unique=True, verbose_name="month", help_text="Of occurrence, as 2026-11."
    )
    secrets = models.TextField(editable=False, help_text="The key, encrypted with the keys of SECRETS_KEYS.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-name"]
        verbose_name = "key of personal data"
        verbose_name_plural = "keys of personal data"

    def __str__(self) -> str:
        return f"personal data of {self.name}"
