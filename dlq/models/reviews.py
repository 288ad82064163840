"""What people add to dead letters: rules for groups, comments, edits, filters worth keeping."""

from django.conf import settings
from django.db import models

from dlq.models.letters import DeadLetter, DeadLetterGroup


class RuleKind(models.TextChoices):
    """What a rule does with the letters of a group."""

    MERGE = "merge", "merged into another group"
    SPLIT = "split", "split by a field"


class GroupRule(models.Model):
    """A person's word on which group letters belong to. Never changed: it is undone, and another one is made.

    `dlq.regrouping` writes and undoes them, `dlq.rules` reads them.
    """

    kind = models.CharField(max_length=5, choices=RuleKind)
    group = models.ForeignKey(
        DeadLetterGroup,
        on_delete=models.PROTECT,
        related_name="rules",
        help_text="Whose letters it is about.",
    )
    target = models.ForeignKey(
        DeadLetterGroup, null=True, on_delete=models.PROTECT, related_name="merged", help_text="Merged into."
    )
    field = models.CharField(max_length=200, blank=True, help_text="Split by.")
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField(auto_now_add=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undone_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(
        null=True, help_text="When the letters that were there had moved; empty while they do."
    )

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["id"], name="group_rule_unsettled", condition=models.Q(settled_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.get_kind_display()} {self.target or self.field}"


class GroupComment(models.Model):
    """What somebody said about a group."""

    group = models.ForeignKey(DeadLetterGroup, on_delete=models.CASCADE, related_name="comments")
    author = models.CharField(max_length=150)
    text = models.TextField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:80]}"


class SavedFilter(models.Model):
    """A filter of the list that a person keeps, for themselves or for everybody."""

    name = models.CharField(max_length=60)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="dead_letter_filters"
    )
    is_shared = models.BooleanField(default=False)
    query = models.CharField(max_length=1000, help_text="The list's address, after the question mark.")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="saved_filter_once")]

    def __str__(self) -> str:
        return self.name


class EditState(models.TextChoices):
    """Where an edit stands."""

    WAITING = "waiting", "waits for a second person"
    APPROVED = "approved", "takes the letter's place"
    DECLINED = "declined", "declined"


class Edit(models.Model):
    """A new event made from a dead letter, which is sent in its place; the letter itself stays as it came.

    A letter is edited once: one edit that is not declined. `dlq.editing` writes them.
    """

    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="edits", db_index=False)
    state = models.CharField(max_length=8, choices=EditState)
    event_id = models.CharField(max_length=100, unique=True, help_text="Of the new event.")
    body = models.BinaryField()
    headers = models.JSONField(default=list, help_text="[name, value] pairs.")
    key = models.TextField(null=True)
    note = models.TextField(blank=True, help_text="Why, in the editor's words.")
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_note = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["letter"],
                name="edited_once",
                condition=models.Q(state__in=["waiting", "approved"]),
            )
        ]
        indexes = [
            models.Index(fields=["letter", "id"], name="edit_of_letter"),
            models.Index(fields=["id"], name="edit_waiting", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"edit of #{self.letter_id} by {self.made_by}: {self.state}"
