from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Now

from eventhub.handlers.breaker import Circuit, Standing


class Handler(models.Model):
    """A handler as the installation knows it: its switches, and where its circuit breaker stands.

    Made when the code that declares it first runs. It stays when that code is gone, with what it did.
    """

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True, help_text="Off: new events are not delivered to it.")
    paused = models.BooleanField(default=False, help_text="On: deliveries are written, and wait.")
    created_at = models.DateTimeField(auto_now_add=True)
    # The breaker (``eventhub/handlers/breaker.py``)
    circuit = models.CharField(
        max_length=10, choices=[(c.value, c.value.replace("_", " ")) for c in Circuit], default=Circuit.CLOSED
    )
    failures = models.IntegerField(default=0, help_text="First attempts that failed since the last success.")
    failed_probes = models.IntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    opened_by = models.TextField(blank=True, help_text="The error of the attempt that opened it.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def standing(self) -> Standing:
        """Where its breaker stands."""
        return Standing(
            Circuit(self.circuit), self.failures, self.failed_probes, self.opened_at, self.probe_at
        )


class State(models.TextChoices):
    """Where a delivery stands. `waiting`: for its time, for a worker, or in work."""

    WAITING = "waiting"
    DONE = "done", "processed"
    DEAD = "dead", "dead letter"
    GONE = "gone", "its event is gone"


class Delivery(models.Model):
    """One event for one handler. Written in the transaction that stores the event.

    While a worker has it in hand its row is locked. `lease_until` says so to others between the moment it is claimed
    and the moment it is locked, and afterwards, when it has passed, that the worker never came back.
    """

    # Without constraint and index of its own: they would be paid for with every event.
    handler = models.ForeignKey(Handler, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    event_id = models.TextField()
    occurred_at = models.DateTimeField()
    event_type = models.TextField()
    order_key = models.TextField(
        null=True, help_text="One at a time, and in order, among those of the same key."
    )
    # Numbered anew when it is replayed.
    place = models.BigIntegerField(
        db_default=Func(Value("handlers_delivery_place"), function="nextval"),
        help_text="Its place in the order.",
    )
    state = models.CharField(max_length=10, choices=State, db_default=State.WAITING)
    attempts = models.IntegerField(db_default=0, help_text="Attempts that ended, in all runs.")
    earlier_attempts = models.IntegerField(
        db_default=0,
        help_text="Those before it was last retried or replayed: the policy does not count them.",
    )
    lost = models.SmallIntegerField(db_default=0, help_text="How often in a row a worker was lost with it.")
    due_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    retry_of = models.BigIntegerField(null=True, help_text="The dead letter that this run is a retry of.")
    retry_attempt = models.IntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event_id", "occurred_at", "handler"], name="delivery_once")
        ]
        indexes = [
            models.Index(
                fields=["handler", "due_at", "place"],
                name="delivery_waiting",
                condition=models.Q(state="waiting", lost=0),
            ),
            models.Index(
                fields=["handler", "due_at"],
                name="delivery_lost",
                condition=models.Q(state="waiting", lost__gt=0),
            ),
            models.Index(
                fields=["handler", "order_key", "place"],
                name="delivery_in_order",
                condition=models.Q(state="waiting", order_key__isnull=False),
            ),
            BrinIndex(fields=["created_at"], name="delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id} to {self.handler_id}: {self.state}"


class Outcome(models.TextChoices):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost", "its worker was lost"


class Attempt(models.Model):
    """One attempt at one delivery. Only ever added."""

    delivery = models.ForeignKey(
        Delivery, on_delete=models.DO_NOTHING, db_constraint=False, related_name="history"
    )
    handler = models.ForeignKey(Handler, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    number = models.IntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome)
    ended_at = models.DateTimeField()
    duration_s = models.FloatField(null=True)
    will_retry = models.BooleanField(default=False)
    error_class = models.TextField(blank=True)
    error_message = models.TextField(blank=True)
    stack = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["handler", "-id"],
                name="attempt_failed",
                condition=~models.Q(outcome="succeeded"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} attempt {self.number}: {self.outcome}"


class Which(models.TextChoices):
    """Which of the events that fit a replay delivers. Each includes the ones before it."""

    MISSED = "missed", "only what was never delivered to it"
    DEAD = "dead", "also what ended as a dead letter"
    ALL = "all", "also what it has processed already, once more"


class ReplayState(models.TextChoices):
    """Where a replay stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class Replay(models.Model):
    """Stored events delivered to one handler, as somebody asked: a walk over them that survives whatever stops it."""

    handler = models.ForeignKey(Handler, on_delete=models.CASCADE, related_name="replays")
    # Empty: all types that the handler asks for.
    event_types = models.JSONField(default=list)
    correlation_id = models.TextField(blank=True)
    service = models.TextField(blank=True, help_text="The service that published them.")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(help_text="The time of asking, where nobody says otherwise.")
    which = models.CharField(max_length=10, choices=Which)
    state = models.CharField(max_length=10, choices=ReplayState, default=ReplayState.RUNNING)
    # How far the walk has come.
    at_time = models.DateTimeField(null=True)
    at_position = models.BigIntegerField(default=0)
    looked_at = models.BigIntegerField(default=0, help_text="Events that fit, so far.")
    delivered = models.BigIntegerField(default=0, help_text="Deliveries written, or made to wait again.")
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], name="replay_running", condition=models.Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.handler} replay {self.pk}: {self.state}"
