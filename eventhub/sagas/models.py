from django.db import models
from django.db.models.functions import Now


class State(models.TextChoices):
    """Where an instance stands."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    PARKED = "parked", "waits for a person"
    COMPLETED = "completed"
    COMPENSATED = "compensated"


ENDED = (State.COMPLETED, State.COMPENSATED)


class Instance(models.Model):
    """One run of a saga. `steps` holds where each step stands (``eventhub.sagas.steps.StepState``), by its name."""

    saga = models.CharField(max_length=100)
    version = models.IntegerField(help_text="Of the definition it began with, and finishes with.")
    key = models.TextField(help_text="What it is about: an order's id. One instance a saga and key.")
    correlation_id = models.TextField()
    data = models.JSONField(default=dict)
    steps = models.JSONField(default=dict)
    state = models.CharField(max_length=15, choices=State, default=State.RUNNING)
    reason = models.TextField(blank=True, help_text="Why it is compensated or parked.")
    due_at = models.DateTimeField(
        null=True, db_default=Now(), help_text="When to look at it; null: when it hears."
    )
    tries = models.SmallIntegerField(
        default=0, help_text="Times that a worker took it in hand since one last came through with it."
    )
    began_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["saga", "key"], name="saga_instance_once")]
        indexes = [
            models.Index(
                fields=["due_at"], name="saga_due", condition=models.Q(state__in=("running", "compensating"))
            ),
            models.Index(
                fields=["correlation_id"],
                name="saga_open",
                condition=models.Q(state__in=("running", "compensating", "parked")),
            ),
            models.Index(fields=["saga", "state", "-id"], name="saga_listed"),
        ]

    def __str__(self) -> str:
        return f"{self.saga} {self.key}: {self.state}"


class Heard(models.Model):
    """An event that came for an instance, kept until a step asks for it; it may come before the step waits."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="heard")
    event_id = models.TextField()
    event_type = models.TextField()
    data = models.JSONField(null=True)
    heard_at = models.DateTimeField(db_default=Now())
    used_by = models.TextField(blank=True, help_text="The step that took it.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["instance", "event_id"], name="saga_heard_once")]

    def __str__(self) -> str:
        return f"{self.event_type} for {self.instance_id}"


class Entry(models.Model):
    """What happened to an instance, in order. Only ever added."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="history")
    at = models.DateTimeField()
    step = models.TextField(blank=True)
    what = models.CharField(max_length=40)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.instance_id} {self.step} {self.what}"
