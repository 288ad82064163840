"""Letters, the groups they are in, and what they died of."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Cast, Length

from eventhub.brokers.models import Source


class Reason(models.TextChoices):
    """Why a message became a dead letter."""

    UNDECODABLE = "undecodable", "could not be read"
    INVALID = "invalid", "does not fit its schema"
    UNSTORABLE = "unstorable", "could not be stored"
    SERVICE = "service", "a service gave up on it"


class Status(models.TextChoices):
    """Where a letter stands. `sent`: its retry was published and its outcome is not known yet."""

    OPEN = "open"
    SENT = "sent", "retry sent"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class DeadLetterGroup(models.Model):
    """Dead letters that died of the same thing, by fingerprint (``dlq/fingerprint.py``).

    A row is not touched by later letters, but for the one that shows that a fix did not hold; how many there are is in
    `GroupCount`. What people decide about a group (`dlq.triage`) stands here.
    """

    fingerprint = models.CharField(max_length=64, unique=True)
    title = models.TextField()
    reason = models.CharField(max_length=12, choices=Reason)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="dead_letter_groups")
    event_type = models.TextField(blank=True, db_index=True)
    failed_in = models.TextField(blank=True)
    error_class = models.TextField(blank=True)
    first_seen_at = models.DateTimeField()
    example_stack = models.TextField(blank=True, help_text="Of its first letter: stacks are searched here.")
    split_by = models.ForeignKey(
        "GroupRule",
        null=True,
        on_delete=models.PROTECT,
        related_name="parts",
        help_text="The rule that made it.",
    )
    # What people decided
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="dead_letter_groups"
    )
    snoozed_until = models.DateTimeField(null=True)
    snoozed_until_failures = models.BigIntegerField(
        null=True, help_text="Awake again when it has failed this often in all."
    )
    snoozed_by = models.CharField(max_length=150, blank=True)
    fixed_at = models.DateTimeField(null=True)
    fixed_in = models.CharField(max_length=100, blank=True, help_text="The release.")
    fixed_by = models.CharField(max_length=150, blank=True)
    regressed_at = models.DateTimeField(null=True, help_text="When it failed again after it was fixed.")

    class Meta:
        ordering = ["-first_seen_at"]
        indexes = [
            # Groups whose next failure is a regression.
            models.Index(
                fields=["id"],
                name="group_watched",
                condition=models.Q(fixed_at__isnull=False, regressed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.title


class GroupCount(models.Model):
    """A change of a group's counts in one hour. Append-only, so that no writer waits for another; readers sum.

    `dlq.counts` writes, reads and merges them.
    """

    group = models.ForeignKey(DeadLetterGroup, on_delete=models.CASCADE, related_name="counts")
    hour = models.DateTimeField(help_text="The full hour; after a day, the month.")
    failures = models.BigIntegerField(default=0, help_text="Letters that died, and retries that came back.")
    letters_change = models.BigIntegerField(default=0, help_text="Letters added to the group.")
    open_change = models.BigIntegerField(
        default=0, help_text="Letters that became open, less those that left."
    )
    last_failed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["hour"], name="group_count_hour")]

    def __str__(self) -> str:
        return f"{self.group_id} {self.hour:%Y-%m-%d %H}: {self.failures}"


class LaneKey(models.Func):
    """A number for what a lane is; the length keeps two names apart from the same text cut elsewhere."""

    template = "hashtextextended(%(expressions)s, 0)"
    arg_joiner = " || '/' || "

    def __init__(self) -> None:
        text = models.TextField()
        super().__init__(
            Cast("group", text),
            Cast("source", text),
            Cast(Length("topic"), text),
            "topic",
            "read_from",
            output_field=models.BigIntegerField(),
        )


class DeadLetter(models.Model):
    """One message that died, kept whole: the bytes, the headers, where it was, and why.

    The failure fields tell the latest failure; what it died of before is in `PastFailure`.
    """

    # Groups are never deleted, so nothing is guarded by a constraint that looks each letter's up, and locks it.
    group = models.ForeignKey(
        DeadLetterGroup,
        on_delete=models.PROTECT,
        related_name="members",
        db_index=False,
        db_constraint=False,
    )
    own_group = models.ForeignKey(
        DeadLetterGroup,
        null=True,
        on_delete=models.PROTECT,
        related_name="born_members",
        db_index=False,
        db_constraint=False,
        help_text="The group of its fingerprint, where a rule put it into another.",
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="dead_letters", db_index=False)
    reason = models.CharField(max_length=12, choices=Reason)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    origin_key = models.TextField(help_text="What stays the same when the broker delivers the message again.")
    # The message
    body = models.BinaryField()
    size_bytes = models.BigIntegerField(help_text="Of the whole body.")
    headers = models.JSONField(default=dict)
    raw_headers = models.JSONField(
        null=True, help_text="[name, value] pairs as they came, where `headers` does not tell it all."
    )
    properties = models.JSONField(
        default=dict, help_text="What the broker's protocol says beside headers, for the way back."
    )
    key = models.TextField(null=True)
    topic = models.TextField(
        blank=True, help_text="Where a retry goes: the topic or queue the message was for; empty: not known."
    )
    read_from = models.TextField(blank=True, help_text="The topic or queue it was read from.")
    partition = models.IntegerField(null=True)
    offset = models.TextField(blank=True)
    # The event, as far as it could be read
    event_id = models.TextField(null=True)
    event_type = models.TextField(null=True)
    event_version = models.TextField(null=True)
    correlation_id = models.TextField(null=True)
    causation_id = models.TextField(null=True)
    event_source = models.TextField(null=True, help_text="The service that published it.")
    # The failure
    failed_in = models.TextField(blank=True, help_text="The service or consumer group that failed on it.")
    error_class = models.TextField(blank=True)
    error_message = models.TextField()
    stack = models.TextField(blank=True)
    attempts = models.IntegerField(default=1, help_text="How often handling it was tried, as far as known.")
    returns = models.IntegerField(default=0, help_text="How many retries came back.")
    first_failed_at = models.DateTimeField()
    last_failed_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, help_text="When its latest retry was published.")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)
    closed_note = models.TextField(blank=True)
    attributes = ArrayField(
        models.BigIntegerField(), null=True, help_text="Digests of its payload's values (dlq/attributes.py)."
    )
    lane = models.GeneratedField(
        expression=LaneKey(),
        output_field=models.BigIntegerField(),
        db_persist=True,
        help_text="The key of its `Lane`.",
    )

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["origin_key"], name="dead_letter_once")]
        indexes = [
            # Here rather than as db_index: Django would add a second index to each text, for LIKE.
            models.Index(fields=["event_id"], name="dead_letter_event"),
            models.Index(fields=["correlation_id"], name="dead_letter_correlation"),
            models.Index(fields=["status", "-id"], name="dead_letter_status"),
            # The newest of each group, and of each lane (dlq/newest.py).
            models.Index(fields=["group", "status", "-id"], name="dead_letter_group"),
            models.Index(fields=["lane", "status", "-id"], name="dead_letter_lane"),
            models.Index(fields=["last_failed_at"], name="dead_letter_failed"),
            # Whether a receipt can close anything at all. By id, which costs its writers least.
            models.Index(
                fields=["id"],
                name="dead_letter_awaiting",
                condition=models.Q(reason="service", status__in=["open", "sent"]),
            ),
            GinIndex(fields=["attributes"], name="dead_letter_attributes"),
            # What retention takes: closed letters, the longest closed first.
            models.Index(
                fields=["closed_at"], name="dead_letter_closed", condition=models.Q(closed_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.event_type or self.topic}: {self.error_message[:80]}"


class Lane(models.Model):
    """Letters of one group that came by one source, were read from one queue, and are for one topic.

    What a filter says of these chooses lanes, as what it says of failures chooses groups: a letter's one number stands
    for three names in its indexes. Written by `dlq.lanes`; one that its letters have left stays, and is found empty.
    """

    key = models.BigIntegerField(primary_key=True)
    group = models.ForeignKey(
        DeadLetterGroup, on_delete=models.CASCADE, related_name="lanes", db_constraint=False
    )
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="dead_letter_lanes", db_constraint=False
    )
    topic = models.TextField()
    read_from = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["topic"], name="lane_topic"),
            models.Index(fields=["read_from"], name="lane_read_from"),
        ]

    def __str__(self) -> str:
        return f"{self.read_from} → {self.topic} in group {self.group_id}"


class PastFailure(models.Model):
    """What a letter died of before it was retried and died again."""

    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="past_failures")
    attempt = models.IntegerField()
    error_class = models.TextField(blank=True)
    error_message = models.TextField()
    stack = models.TextField(blank=True)
    failed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.letter_id} attempt {self.attempt}: {self.error_message[:80]}"
