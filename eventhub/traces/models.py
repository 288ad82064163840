from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from eventhub.schemas.models import EventType

NAME = RegexValidator(r"^[a-z][a-z0-9_]*$", "Small letters, digits and underscores, e.g. order_id.")
PATH = RegexValidator(
    r"^[^.\s\x00][^.\x00]*(\.[^.\x00]+)*$", "Names separated by dots, e.g. customer.id or items.0.sku."
)


class SearchableAttribute(models.Model):
    """A value of an event type's payload by which people look for its traces: ``order_id:8412``.

    From its declaration on ingest fills it; a background job fills it for older events (`attributes.fill_older`).
    """

    event_type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="searchable")
    name = models.CharField(
        max_length=60, validators=[NAME], help_text="What people type: order_id in order_id:8412."
    )
    path = models.CharField(
        max_length=200,
        validators=[PATH],
        help_text="Where it stands in the event's data: order_id, customer.id, items.0.sku.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # The background job's way back through the events that were there before: what it has read, and of how many.
    reached_at = models.DateTimeField(null=True, blank=True, editable=False)
    reached_position = models.BigIntegerField(null=True, blank=True, editable=False)
    looked_at = models.BigIntegerField(default=0, editable=False)
    to_look_at = models.BigIntegerField(null=True, blank=True, editable=False)
    filled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name", "event_type__name"]
        constraints = [
            models.UniqueConstraint(fields=["event_type", "name"], name="searchable_attribute_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.event_type}"

    def clean(self) -> None:
        """Raises ValidationError for a field that tells of a person: searching would tell it to who tries."""
        from eventhub.traces.attributes import is_personal

        if self.event_type_id and is_personal(self.event_type.name, self.path.split(".")):
            raise ValidationError(
                {"path": "This field is marked as personal data, so nobody searches by it."}
            )

    @property
    def progress(self) -> float:
        """How far the older events are filled, 0…1."""
        if self.filled_at:
            return 1.0
        return min(self.looked_at / self.to_look_at, 0.999) if self.to_look_at else 0.0


class AttributeValue(models.Model):
    """One searchable value of one event: narrow, and only of types that declare one, so that it costs little."""

    attribute_id = models.BigIntegerField()
    value = models.TextField(help_text="In lower case, at most 200 characters.")
    occurred_at = models.DateTimeField()
    position = models.BigIntegerField()
    event_id = models.TextField()
    correlation_id = models.TextField(null=True)

    class Meta:
        constraints = [
            # What a search walks, and what keeps the job and ingest from filling the same twice.
            models.UniqueConstraint(
                fields=["attribute_id", "value", "occurred_at", "position"], name="attribute_value_once"
            )
        ]
        # For retention; next to nothing to write.
        indexes = [BrinIndex(fields=["occurred_at"], name="attribute_value_time")]

    def __str__(self) -> str:
        return self.value


class SavedSearch(models.Model):
    """A search of the Traces page under a name, for its owner or for everybody."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_searches"
    )
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, help_text="The address's parameters.")
    is_shared = models.BooleanField(default=False, help_text="Everybody sees it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "saved searches"
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="saved_search_once")]

    def __str__(self) -> str:
        return self.name


class HopKind(models.TextChoices):
    """What a row of the flow says."""

    HOP = "hop", "an event that another one caused"
    DELIVERY = "delivery", "a service's attempt to process an event"


class Grain(models.IntegerChoices):
    """The width of a bucket in seconds."""

    SECOND = 1
    MINUTE = 60
    HOUR = 3600


class Hop(models.Model):
    """What the flow learner counted of one way in one bucket of event time. Only the learner writes it.

    A hop leads from a cause (type and publisher; both empty for a trace's first event) to an event; a delivery from
    an event and its publisher to the service that processed it. Histograms as in ``monitoring.rollups.histogram``.
    """

    kind = models.CharField(max_length=8, choices=HopKind)
    grain = models.SmallIntegerField(choices=Grain)
    bucket = models.DateTimeField()
    from_type = models.TextField(blank=True)
    from_service = models.TextField(blank=True)
    to_type = models.TextField(blank=True, help_text="Empty for a delivery.")
    to_service = models.TextField(blank=True)
    count = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0, help_text="Deliveries that failed.")
    buckets = models.JSONField(default=list)
    counts = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grain", "bucket", "kind", "from_type", "from_service", "to_type", "to_service"],
                name="hop_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_type} → {self.to_type or self.to_service}"


class FlowProgress(models.Model):
    """How far the learner has read the log. One row."""

    txid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    looked_at = models.BigIntegerField(default=0)
    caught_up_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"({self.txid}, {self.position})"


class Process(models.Model):
    """A choreographed saga that a person named: what begins it, what ends it, what undoes it, and until when."""

    name = models.CharField(max_length=80, unique=True)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=100, blank=True, help_text="The team to ask.")
    start_type = models.CharField(max_length=300, unique=True, help_text="The event type that begins it.")
    deadline_s = models.FloatField(
        null=True, blank=True, help_text="Seconds until it must have ended. Empty: each step's own."
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a step is to its process."""

    STEP = "step", "happens on the way"
    END = "end", "completes the process"
    FAILURE = "failure", "the process cannot go on: what was done is undone"
    COMPENSATION = "compensation", "undoes another step"
    ABORT = "abort", "ends the process when all is undone"


class ProcessStep(models.Model):
    """One event type of a process."""

    process = models.ForeignKey(Process, on_delete=models.CASCADE, related_name="steps")
    order = models.PositiveSmallIntegerField(default=0)
    event_type = models.CharField(max_length=300)
    role = models.CharField(max_length=12, choices=Role, default=Role.STEP)
    after = models.CharField(
        max_length=300,
        blank=True,
        help_text="The event type that it follows. Empty: the one that begins the process.",
    )
    within_s = models.FloatField(
        null=True, blank=True, help_text="Seconds after that; empty: the p99 of what was seen."
    )
    undoes = models.CharField(max_length=300, blank=True, help_text="For a compensation: the type it undoes.")

    class Meta:
        ordering = ["process", "order", "id"]
        constraints = [models.UniqueConstraint(fields=["process", "event_type"], name="process_step_once")]

    def __str__(self) -> str:
        return f"{self.event_type} ({self.role})"

    def clean(self) -> None:
        """A compensation says what it undoes."""
        if self.role == Role.COMPENSATION and not self.undoes:
            raise ValidationError({"undoes": "Say which event type it undoes."})


class Variant(models.Model):
    """A way that traces took: the types of their events as a tree of causes, and how often, how long, how well."""

    start_type = models.TextField()
    digest = models.CharField(max_length=32)
    path = models.JSONField(help_text="[depth, event type] in causal order.")
    count = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0, help_text="Of these, traces in trouble.")
    failed_at = models.JSONField(default=dict, help_text="How many failed at which type.")
    buckets = models.JSONField(default=list)
    counts = models.JSONField(default=list)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    example = models.TextField(help_text="The correlation id of the latest.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["start_type", "digest"], name="variant_once")]

    def __str__(self) -> str:
        return f"{self.start_type} {self.digest[:8]}"


class InstanceState(models.TextChoices):
    """How an instance of a process stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    STUCK = "stuck"


class Instance(models.Model):
    """A trace as an instance of what begins with its first event: which way it took, and how it stands.

    Without a named process it has no state of its own (`state` is empty), only its variant. Rows follow the log by
    seconds: the learner marks a trace as touched (`due_at`), and a task looks at it when it has been quiet.
    """

    correlation_id = models.TextField(unique=True)
    due_at = models.DateTimeField(null=True, help_text="When it is to be looked at (again).")
    start_type = models.TextField(blank=True)
    process = models.ForeignKey(Process, null=True, on_delete=models.SET_NULL, related_name="instances")
    variant = models.ForeignKey(Variant, null=True, on_delete=models.SET_NULL, related_name="instances")
    state = models.CharField(max_length=12, choices=InstanceState, blank=True)
    # For a person: "order 8412".
    subject = models.TextField(blank=True)
    events = models.IntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    duration_s = models.FloatField(null=True)
    failed_type = models.TextField(blank=True, help_text="Where it went wrong first.")
    missing_type = models.TextField(blank=True, help_text="The event that should have come.")
    missing_after = models.TextField(blank=True)
    stuck_since = models.DateTimeField(null=True)
    undone = models.JSONField(default=list, help_text="The types that were compensated.")
    slow_hops = models.JSONField(default=list, help_text="[cause, effect, seconds, usual seconds]")

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="instance_due", condition=models.Q(due_at__isnull=False)),
            models.Index(fields=["process", "state", "last_at"], name="instance_state"),
            models.Index(fields=["variant", "last_at"], name="instance_variant"),
            models.Index(fields=["last_at"], name="instance_slow", condition=~models.Q(slow_hops=[])),
        ]

    def __str__(self) -> str:
        return self.correlation_id
