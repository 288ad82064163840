"""The guide to the first steps: whether it is still shown to a person by itself, and how far they have come."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from eventhub.pages.models import FirstSteps

# In the session: whether the guide is over. So each session asks the database about it once.
OVER = "first_steps_over"


def of(user: Any) -> FirstSteps:
    """What is noted about this person; unsaved when nothing is."""
    return FirstSteps.objects.filter(person=user).first() or FirstSteps(person=user)


def are_wanted(request: HttpRequest) -> bool:
    """Whether the guide shows itself: to who may set up sources, until it is done or put away."""
    user = request.user
    if not user.is_authenticated or not hasattr(request, "session"):
        return False
    if not (user.is_staff or user.has_perm("access.edit")):
        return False
    if OVER not in request.session:
        request.session[OVER] = of(user).put_away_at is not None
    return not request.session[OVER]


def note_sent(user: Any, correlation_id: str) -> None:
    """This person sent a test event, whose trace has that id."""
    FirstSteps.objects.update_or_create(
        person=user,
        defaults={"correlation_id": correlation_id, "sent_at": timezone.now(), "seen_at": None},
    )


def note_seen(user: Any) -> None:
    """This person opened the trace of their test event."""
    FirstSteps.objects.filter(person=user).update(seen_at=timezone.now())


def put_away(request: HttpRequest) -> None:
    """The guide no longer shows itself to this person; the help menu still has it."""
    person: Any = request.user
    FirstSteps.objects.update_or_create(person=person, defaults={"put_away_at": timezone.now()})
    request.session[OVER] = True
