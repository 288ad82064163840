"""Who may change which dead letters; everybody who may see EventHub may read them.

A role for a source covers the letters of that source, a role for a team those of the event types that it owns.
"""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from dlq.models import DeadLetter, DeadLetterGroup, RetryJob
from eventhub.access.audit import actor_of
from eventhub.access.models import Role
from eventhub.access.roles import Reach, in_words, may, reach, require, why_not
from eventhub.schemas.models import EventType

WHY_NOT = f"You can read dead letters, not change them. {why_not(Role.OPERATOR)}"


def may_operate(asker: HttpRequest | AbstractBaseUser | AnonymousUser) -> bool:
    """Whether whoever asks may retry, discard and reopen some letters at least."""
    return bool(reach(asker, Role.OPERATOR))


def require_letters(request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
    """Raises PermissionDenied when some of `letters` are beyond what whoever asks may change."""
    found = reach(request, Role.OPERATOR)
    if found.everywhere:
        return
    beyond = letters.exclude(_within(found)).count() if found else 1
    if beyond:
        raise PermissionDenied(_words(found, beyond))


def require_ids(request: HttpRequest, letter_ids: list[int]) -> None:
    """As `require_letters`."""
    require_letters(request, DeadLetter.objects.filter(pk__in=letter_ids))


def require_group(request: HttpRequest, group: DeadLetterGroup) -> None:
    """Raises PermissionDenied when the group is of a source and type that whoever asks may not change."""
    team = EventType.objects.filter(name=group.event_type).values_list("owner", flat=True).first() or ""
    require(request, Role.OPERATOR, source=group.source.name, team=team)


def require_job(request: HttpRequest, job: RetryJob) -> None:
    """Raises PermissionDenied unless whoever asks may change every letter, or began this job."""
    if job.requested_by != actor_of(request).name or not may_operate(request):
        require(request, Role.OPERATOR)


def within(request: HttpRequest, letter: DeadLetter) -> bool:
    """Whether whoever asks may change this letter."""
    team = (
        EventType.objects.filter(name=letter.event_type or "").values_list("owner", flat=True).first() or ""
    )
    return may(request, Role.OPERATOR, source=letter.source.name, team=team)


def _within(found: Reach) -> Q:
    types = EventType.objects.filter(owner__in=found.teams).values("name")
    is_within = Q(source__name__in=found.sources)
    return is_within | Q(event_type__isnull=False, event_type__in=types) if found.teams else is_within


def _words(found: Reach, beyond: int) -> str:
    if not found:
        return WHY_NOT
    which = "One of these letters is" if beyond == 1 else f"{beyond:,} of these letters are"
    return f"{which} not of {in_words(found)}, for which you have the role “operator”. Choose others."
