from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    """What a person may do; each includes those before it. A Django group of the same name holds its permissions."""

    VIEWER = "viewer", "viewer: sees everything"
    OPERATOR = "operator", "operator: also retries, discards, pauses"
    EDITOR = "editor", "editor: also changes schemas, sources, alert rules"
    ADMINISTRATOR = "administrator", "administrator: also people, tokens, everything"


class Grant(models.Model):
    """A role for one source or one team's event types, beside the role that a person has everywhere.

    Seeing is not divided: who may sign in sees every source. What a grant gives is the right to change.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(
        max_length=13, choices=[(role.value, role.label) for role in (Role.OPERATOR, Role.EDITOR)]
    )
    source = models.CharField(max_length=60, blank=True, help_text="The name of a source; or empty.")
    team = models.CharField(
        max_length=100, blank=True, help_text="The owner of event types, as the catalogue names it; or empty."
    )

    class Meta:
        ordering = ["user", "role", "source", "team"]
        verbose_name = "role for a source or team"
        verbose_name_plural = "roles for a source or team"
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "source", "team"], name="grant_once"),
            models.CheckConstraint(
                condition=models.Q(source="", team__gt="") | models.Q(source__gt="", team=""),
                name="grant_for_source_or_team",
                violation_error_message="Name a source or a team, one of the two. "
                "A role for everything is given above.",
            ),
        ]
        # What the groups of the roles hold (eventhub/access/groups.py); roles are asked through them.
        permissions = [
            ("look", "Can see everything"),
            ("operate", "Can retry, discard and pause"),
            ("edit", "Can change schemas and sources"),
            ("administer", "Can administer EventHub"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of " + (f"source {self.source}" if self.source else f"team {self.team}")


class Scope(models.TextChoices):
    """What a token may do. `operate` (retry, discard, pause) includes `read`, and `configure` includes both."""

    INGEST = "ingest", "ingest: send events"
    READ = "read", "read: query events, traces, dead letters, metrics"
    OPERATE = "operate", "operate: read, retry, discard, pause"
    CONFIGURE = "configure", "configure: operate, add and change sources"


class Identity(models.Model):
    """Whom a provider of single sign-on knows an account as: its `sub`, which never goes to somebody else."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=250)
    subject = models.CharField(max_length=250)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class ApiToken(models.Model):
    """A script's key to the API. Only a SHA-256 digest is kept; the token itself is shown once."""

    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope)
    prefix = models.CharField(max_length=12, help_text="The token's first characters, to recognise it by.")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    sources = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        help_text="Names of sources, with commas: it may send to and change these only. Empty: all of them.",
    )

    class Meta:
        ordering = ["name", "-created_at"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.scope}, {self.prefix}…)"

    @property
    def state(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "active"


class AuditEntry(models.Model):
    """Who did what to what, and when. Written in the transaction of the deed itself."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    actor = models.CharField(max_length=150, help_text="User name, or the API token's name.")
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"
