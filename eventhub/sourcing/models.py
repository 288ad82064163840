from django.db import models
from django.db.models.functions import Now


class Stream(models.Model):
    """One stream and how far it has come: the row that makes appends with an expected version safe.

    Written by the function ``sourcing_append`` alone (migrations/0002). `label` and `last_position` are the
    place in the log of its last event; see docs/decisions/0019.
    """

    name = models.TextField(unique=True)
    category = models.TextField(help_text="The name up to its first dash: account of account-7.")
    version = models.BigIntegerField(default=0, help_text="Of its last event; the first is 1.")
    first_at = models.DateTimeField(help_text="The earliest time of occurrence in it.")
    last_at = models.DateTimeField(help_text="The latest time of occurrence in it.")
    began_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, help_text="When a tombstone ended it.")
    label = models.BigIntegerField(
        default=0, help_text="The transaction under which its last event is logged."
    )
    last_position = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["category", "-id"], name="stream_category")]

    def __str__(self) -> str:
        return f"{self.name} at {self.version}"


class Snapshot(models.Model):
    """The state of a stream at a version, so that reading it need not begin at the beginning."""

    stream = models.TextField()
    kind = models.TextField(help_text="The aggregate and the version of its state's form.")
    version = models.BigIntegerField()
    state = models.JSONField()
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "kind", "version"], name="snapshot_once"),
        ]

    def __str__(self) -> str:
        return f"{self.stream} at {self.version}"


class ProjectionState(models.TextChoices):
    """Where a projection stands."""

    RUNNING = "running"
    PAUSED = "paused"
    POISONED = "poisoned", "stopped at an event"


class Projection(models.Model):
    """A projection as the installation knows it."""

    name = models.CharField(max_length=100, unique=True)
    code_version = models.IntegerField(default=1, help_text="Of the code that filled the live tables.")
    rebuilding = models.BooleanField(default=False)
    rebuild_began_at = models.DateTimeField(null=True)
    swapped_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Checkpoint(models.Model):
    """How far one partition of a projection has come in the log; moved in the transaction of its work.

    `is_next`: of the copy that is being rebuilt beside the live one.
    """

    projection = models.ForeignKey(Projection, on_delete=models.CASCADE, related_name="checkpoints")
    partition = models.IntegerField()
    is_next = models.BooleanField(default=False)
    txid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0, help_text="Events it was given, ever.")
    state = models.CharField(max_length=10, choices=ProjectionState, default=ProjectionState.RUNNING)
    # The event that it is stopped at.
    poison_event_id = models.TextField(blank=True)
    poison_event_type = models.TextField(blank=True)
    poison_txid = models.BigIntegerField(null=True)
    poison_position = models.BigIntegerField(null=True)
    poison_error = models.TextField(blank=True)
    moved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["projection", "is_next", "partition"]
        constraints = [
            models.UniqueConstraint(fields=["projection", "is_next", "partition"], name="checkpoint_once")
        ]

    def __str__(self) -> str:
        return f"{self.projection_id}/{self.partition} at ({self.txid}, {self.position})"


class ReplayState(models.TextChoices):
    """Where a replay stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class ReplayTarget(models.TextChoices):
    """Where a replay leads."""

    TOPIC = "topic"
    PROJECTION = "projection"


class Replay(models.Model):
    """Stored events sent once more to a topic or a projection, as somebody asked; it survives what stops it."""

    target = models.CharField(max_length=12, choices=ReplayTarget)
    name = models.TextField(help_text="The topic's name, or the projection's.")
    source = models.SlugField(max_length=60, blank=True, help_text="The source whose broker has the topic.")
    event_types = models.JSONField(default=list, help_text="Patterns; empty: all types.")
    stream = models.TextField(blank=True)
    category = models.TextField(blank=True)
    correlation_id = models.TextField(blank=True)
    service = models.TextField(blank=True)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    per_s = models.FloatField(null=True, help_text="Events a second at most; null: as fast as it goes.")
    state = models.CharField(max_length=10, choices=ReplayState, default=ReplayState.RUNNING)
    reason = models.TextField(blank=True)
    total = models.BigIntegerField(default=0, help_text="Events that fitted when it was asked for.")
    sent = models.BigIntegerField(default=0)
    # How far it has come, and where the log ended when it was asked for.
    txid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    end_txid = models.BigIntegerField()
    due_at = models.DateTimeField(db_default=Now())
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["due_at"], name="replay_due", condition=models.Q(state="running"))]

    def __str__(self) -> str:
        return f"replay {self.pk} to {self.target} {self.name}: {self.state}"
