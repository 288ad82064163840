from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Severity(models.IntegerChoices):
    """How much a finding harms."""

    ADVICE = 1, "advice"
    FLAW = 2, "flaw"
    BROKEN = 3, "broken"


class State(models.TextChoices):
    """How a finding stands."""

    OPEN = "open"
    # The team knows and lives with it for a while: it is shown, and it counts.
    ACCEPTED = "accepted"
    # It is no fault here: it is not shown, and it does not count.
    SUPPRESSED = "suppressed"
    # It is not found any more.
    GONE = "gone"


class Count(models.Model):
    """What the rules counted in one hour of recorded time. Only the reader adds to it.

    `measure` is the rule's own word for what it counts. Samples are ids of events, the newest first.
    """

    hour = models.DateTimeField()
    measure = models.CharField(max_length=40)
    service = models.TextField(blank=True)
    event_type = models.TextField(blank=True)
    detail = models.TextField(blank=True)
    n = models.BigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    samples = ArrayField(models.TextField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "measure", "service", "event_type", "detail"], name="review_count_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%F %H}h {self.measure} {self.service} {self.event_type}: {self.n}"


class StreamState(models.Model):
    """What was seen of one stream lately, for the rules about order. A bounded sample of all streams."""

    stream = models.TextField(primary_key=True)
    highest = models.BigIntegerField()
    # Versions below the highest that have not come yet, with the event that skipped them.
    missing = models.JSONField(default=dict)
    # Where its events came in: topic -> partitions.
    places = models.JSONField(default=dict)
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.stream


class ReviewProgress(models.Model):
    """How far the review has read the log. One row."""

    txid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    looked_at = models.BigIntegerField(default=0, help_text="Events read since the beginning.")
    read_until = models.DateTimeField(null=True, help_text="When the last event read was recorded.")
    judged_at = models.DateTimeField(null=True)
    stream_share = models.IntegerField(default=1, help_text="One stream in so many is followed.")

    def __str__(self) -> str:
        return f"({self.txid}, {self.position})"


class Finding(models.Model):
    """One flaw of one service or of the whole: what a rule found, since when, and what people decided about it."""

    rule = models.CharField(max_length=40)
    service = models.TextField(blank=True, help_text="Empty: the system as a whole.")
    subject = models.TextField(blank=True, help_text="The event type, entity or topic that it is about.")
    severity = models.SmallIntegerField(choices=Severity)
    title = models.TextField()
    detail = models.TextField(blank=True)
    advice = models.TextField(blank=True, help_text="What to do instead, for this very case.")
    n = models.BigIntegerField(default=0, help_text="How often in the last 24 hours.")
    of = models.BigIntegerField(null=True, help_text="Of so many that were looked at.")
    evidence = models.JSONField(default=list, help_text='[{"label": …, "href": …, "words": …}]')
    first_at = models.DateTimeField(help_text="When it happened first.")
    last_at = models.DateTimeField(help_text="When it happened last.")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN, db_index=True)
    state_since = models.DateTimeField(auto_now_add=True)
    times_returned = models.IntegerField(default=0)
    # The decision that holds while `state` is accepted or suppressed.
    reason = models.TextField(blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-severity", "-n"]
        constraints = [models.UniqueConstraint(fields=["rule", "service", "subject"], name="finding_once")]

    def __str__(self) -> str:
        return self.title

    @property
    def level(self) -> str:
        """The colour of the product's states."""
        return {Severity.BROKEN: "broken", Severity.FLAW: "busy"}.get(Severity(self.severity), "unknown")

    @property
    def share(self) -> float | None:
        """Of what was looked at, how much: 0…1; None where it is not a share."""
        return min(1.0, self.n / self.of) if self.of else None


class FindingDay(models.Model):
    """How a finding stood at the end of a day: its trend."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    n = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["finding", "day"], name="finding_day_once")]

    def __str__(self) -> str:
        return f"{self.day}: {self.n}"


class Change(models.Model):
    """What became of a finding, and who decided it: its history."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField(auto_now_add=True)
    what = models.CharField(max_length=20, help_text="found, returned, gone, accepted, suppressed, reopened")
    by = models.CharField(max_length=150, blank=True, help_text="Empty: the review itself.")
    reason = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.what} {self.at:%F}"


class Score(models.Model):
    """The score of one service, or of the whole (empty), as it was last on a day."""

    day = models.DateField()
    service = models.TextField(blank=True)
    score = models.SmallIntegerField()
    findings = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "service"], name="score_once")]

    def __str__(self) -> str:
        return f"{self.service or 'all'} {self.day}: {self.score}"


class Exemption(models.Model):
    """What a rule is to leave alone: event types, by name or pattern, of one service or of all."""

    rule = models.CharField(max_length=40, blank=True, help_text="Empty: every rule.")
    pattern = models.CharField(
        max_length=300, help_text="An event type; * stands for anything: legacy.*, *.snapshot."
    )
    service = models.TextField(blank=True, help_text="Only of this service; empty: of any.")
    reason = models.CharField(max_length=300)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pattern"]

    def __str__(self) -> str:
        return f"{self.pattern} ({self.rule or 'every rule'})"


class WordKind(models.TextChoices):
    """What a word is in the names of events."""

    COMMAND = "command", "a command: the name tells somebody to do something"
    FACT = "fact", "a fact: it says that something happened"
    NOUN = "noun", "a thing: it says neither"


class Word(models.Model):
    """A word of the team's own language that the rules about names would read wrongly."""

    word = models.CharField(
        max_length=60, unique=True, help_text="One word, in small letters: fulfil, ghosted."
    )
    kind = models.CharField(max_length=10, choices=WordKind)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["word"]

    def __str__(self) -> str:
        return f"{self.word}: {self.kind}"
