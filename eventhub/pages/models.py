from django.conf import settings
from django.db import models


class FirstSteps(models.Model):
    """How far a person has come with the guide to the first steps; no row: not begun."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="first_steps"
    )
    # The trace of the test event that this person sent.
    correlation_id = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="When its trace was opened.")
    put_away_at = models.DateTimeField(null=True, help_text="When the guide was put away, finished or not.")

    def __str__(self) -> str:
        return f"first steps of {self.person}"
