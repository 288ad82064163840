from typing import Any

from django.core.validators import MinValueValidator
from django.db import models

from eventhub.brokers.models import Source
from monitoring.alerts import keeping


class Condition(models.TextChoices):
    """What a rule looks at."""

    THRESHOLD = "threshold", "a figure is above or below a value"
    CHANGE = "change", "a figure changed against the same time before"
    ABSENCE = "absence", "an event type does not come any more"
    LAG = "lag", "a consumer group or queue is in trouble"
    DEAD_LETTERS = "dead_letters", "a group of dead letters grows"
    BUDGET = "budget", "the error budget is used up too fast"
    STUCK = "stuck", "instances of a process are stuck"
    DISK = "disk", "the disk of the database is going to be full"


class Metric(models.TextChoices):
    """A figure of the rollups, over the rule's window."""

    RATE = "rate", "events a second"
    ERROR_RATIO = "error_ratio", "share of deliveries that failed (0…1)"
    PROCESSING_P95 = "processing_p95", "processing time, p95, in seconds"
    DEAD_LETTERS = "dead_letters", "dead letters"
    DUPLICATES = "duplicates", "duplicates"


class Channel(models.Model):
    """Where alerts are sent."""

    class Kind(models.TextChoices):
        """How it is spoken to."""

        EMAIL = "email", "e-mail"
        WEBHOOK = "webhook", "webhook (signed JSON)"
        SLACK = "slack", "Slack-compatible webhook"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    address = models.TextField(help_text="E-mail addresses with commas between them, or the webhook's host.")
    secrets = models.TextField(
        blank=True, editable=False, help_text="The webhook's address and signing key, encrypted; never shown."
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_kind_display()})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; what is secret in a webhook's address moves to the secrets first, encrypted."""
        if not keeping.is_shown(self.address):
            address = self.address.strip()
            self.address = address if self.kind == self.Kind.EMAIL else keeping.shown_address(address)
            # Of an address without anything secret in it nothing is kept aside.
            kept = address if self.address != address else ""
            self.secrets = keeping.changed(self.secrets, **{keeping.ADDRESS: kept})
            if (fields := kwargs.get("update_fields")) is not None and "address" in fields:
                kwargs["update_fields"] = {*fields, "secrets"}
        super().save(*args, **kwargs)

    @property
    def whole_address(self) -> str:
        """Where it is sent to. Raises keys.Unreadable, keys.BadKey."""
        if not keeping.is_shown(self.address):
            return self.address.strip()
        return keeping.read(self.secrets, keeping.ADDRESS)

    @property
    def signing_key(self) -> str:
        """Of a webhook: signs each message (HMAC-SHA256); empty: unsigned. Raises keys.Unreadable, keys.BadKey."""
        return keeping.read(self.secrets, keeping.SIGNING_KEY)

    @signing_key.setter
    def signing_key(self, value: str) -> None:
        self.secrets = keeping.changed(self.secrets, **{keeping.SIGNING_KEY: value})


class AlertRule(models.Model):
    """A condition, how long it must hold, and who is told."""

    name = models.CharField(max_length=150, unique=True)
    condition = models.CharField(max_length=20, choices=Condition)
    metric = models.CharField(max_length=20, choices=Metric, blank=True)
    above = models.FloatField(
        null=True, blank=True, help_text="Fires above this; for a change: this many times as much."
    )
    below = models.FloatField(
        null=True,
        blank=True,
        help_text="Fires below this; for a change: less than this share; of the disk: so many days.",
    )
    event_type = models.TextField(blank=True, help_text="Only this event type. Needed for an absence.")
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.CASCADE, help_text="Only this source."
    )
    group = models.TextField(
        blank=True, help_text="Of lag and of processes: only those whose name holds this."
    )
    objective = models.FloatField(
        default=0.999, help_text="Of an error budget: the share that is to succeed."
    )
    window_s = models.PositiveIntegerField(default=300, validators=[MinValueValidator(5)])
    compare_s = models.PositiveIntegerField(
        default=86_400, help_text="Of a change: compared with so long before."
    )
    for_s = models.PositiveIntegerField(default=60, help_text="It has to hold so long before it fires.")
    keep_firing_s = models.PositiveIntegerField(
        default=120, help_text="It has to be over for so long before it clears."
    )
    channels = models.ManyToManyField(Channel, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """One subject of one rule from when its condition became true until it was over. A row is one incident."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    subject = models.TextField(blank=True, help_text="What it is about: a type, a source, a group.")
    since = models.DateTimeField(help_text="When the condition became true.")
    last_true_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    cleared_at = models.DateTimeField(null=True)
    value = models.FloatField(null=True)
    evidence = models.TextField(blank=True)
    href = models.TextField(blank=True)

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"],
                condition=models.Q(cleared_at__isnull=True),
                name="alert_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}"


class Silence(models.Model):
    """Alerts that nobody is told of for a while; they are on the page all the same."""

    rule = models.ForeignKey(
        AlertRule, null=True, blank=True, on_delete=models.CASCADE, help_text="Empty: every rule."
    )
    subject = models.TextField(blank=True, help_text="Only this subject; empty: every one.")
    until = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.rule or 'every rule'} {self.subject} until {self.until:%F %H:%M}"


class Notice(models.Model):
    """One message to one channel: every alert of a rule that fired (or cleared) at the same moment."""

    rule = models.ForeignKey(AlertRule, null=True, on_delete=models.CASCADE)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="notices")
    what = models.CharField(max_length=10, help_text="firing, cleared or test")
    alerts = models.JSONField(default=list)
    made_at = models.DateTimeField(auto_now_add=True, db_index=True)
    due_at = models.DateTimeField(null=True, db_index=True, help_text="Null: sent, or given up.")
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.what}: {self.rule} to {self.channel}"
