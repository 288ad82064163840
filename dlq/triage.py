"""What people decide about a group: who looks after it, when it is to be heard of again, and that it is fixed."""

from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from dlq import counts
from dlq.models import DeadLetterGroup, GroupComment
from dlq.permissions import may_operate
from eventhub.access import audit
from eventhub.access.audit import Actor

MAX_COMMENT_CHARS = 4_000
LONGEST_SNOOZE = timedelta(days=366)
MOST_FAILURES = 10**9


class CannotDecide(ValueError):
    """It makes no sense for this group. The text says why, and what can be done."""


def assignable() -> list[User]:
    """The people who can look after a group."""
    people = get_user_model().objects.filter(is_active=True).order_by("username")
    return [person for person in people if may_operate(person)]


@transaction.atomic
def assign(group_id: int, username: str, actor: Actor) -> DeadLetterGroup:
    """Give a group to a person, or with an empty name to nobody. Raises CannotDecide."""
    group = _locked(group_id)
    person = next((one for one in assignable() if one.get_username() == username), None)
    if username and person is None:
        raise CannotDecide(f"There is nobody called {username} who may work on dead letters.")
    group.assignee = person
    group.save(update_fields=["assignee"])
    audit.record(actor, "assign", _named(group), to=username or None)
    return group


@transaction.atomic
def comment(group_id: int, text: str, actor: Actor) -> GroupComment:
    """Say something about a group. Raises CannotDecide."""
    group = _locked(group_id)
    words = text.strip().replace("\x00", "␀")
    if not words:
        raise CannotDecide("Write something first.")
    if len(words) > MAX_COMMENT_CHARS:
        raise CannotDecide(
            f"A comment has at most {MAX_COMMENT_CHARS:,} characters; this one has {len(words):,}."
        )
    made = GroupComment.objects.create(group=group, author=actor.name[:150], text=words)
    audit.record(actor, "comment", _named(group), text=words[:300])
    return made


@transaction.atomic
def snooze(
    group_id: int, actor: Actor, *, until: datetime | None = None, failures: int | None = None
) -> DeadLetterGroup:
    """Keep a group off the list until a time, or until it has failed so often more. Raises CannotDecide."""
    group = _locked(group_id)
    now = timezone.now()
    if (until is None) == (failures is None):
        raise CannotDecide("Say until when, or for how many more failures.")
    if until is not None and not now < until < now + LONGEST_SNOOZE:
        raise CannotDecide("Choose a time that is still to come, within a year.")
    if failures is not None and not 0 < failures <= MOST_FAILURES:
        raise CannotDecide("Choose a number of failures above zero.")
    group.snoozed_until = until
    group.snoozed_until_failures = None
    if failures is not None:
        so_far = counts.totals([group.pk]).get(group.pk, counts.GroupTotals()).failures
        group.snoozed_until_failures = so_far + failures
    group.snoozed_by = actor.name[:150]
    group.save(update_fields=["snoozed_until", "snoozed_until_failures", "snoozed_by"])
    audit.record(
        actor, "snooze", _named(group), until=until.isoformat() if until else None, more_failures=failures
    )
    return group


@transaction.atomic
def wake(group_id: int, actor: Actor) -> DeadLetterGroup:
    """Put a snoozed group back on the list."""
    group = _locked(group_id)
    group.snoozed_until, group.snoozed_until_failures, group.snoozed_by = None, None, ""
    group.save(update_fields=["snoozed_until", "snoozed_until_failures", "snoozed_by"])
    audit.record(actor, "wake", _named(group))
    return group


@transaction.atomic
def mark_fixed(group_id: int, release: str, actor: Actor) -> DeadLetterGroup:
    """Say that what the group died of is fixed, in which release if it has a name.

    Its open letters stay, to be retried. A failure after this moment makes it a regression.
    """
    group = _locked(group_id)
    group.fixed_at, group.fixed_by = timezone.now(), actor.name[:150]
    group.fixed_in = release.strip().replace("\x00", "")[:100]
    group.regressed_at = None
    group.snoozed_until, group.snoozed_until_failures, group.snoozed_by = None, None, ""
    group.save()
    audit.record(actor, "mark fixed", _named(group), release=group.fixed_in)
    return group


@transaction.atomic
def mark_unfixed(group_id: int, actor: Actor) -> DeadLetterGroup:
    """Take back that it is fixed."""
    group = _locked(group_id)
    if group.fixed_at is None:
        raise CannotDecide("It is not marked as fixed.")
    group.fixed_at, group.fixed_by, group.fixed_in, group.regressed_at = None, "", "", None
    group.save()
    audit.record(actor, "mark not fixed", _named(group))
    return group


def _locked(group_id: int) -> DeadLetterGroup:
    group = DeadLetterGroup.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise CannotDecide(f"There is no group {group_id}.")
    return group


def _named(group: DeadLetterGroup) -> str:
    return f"dead-letter group {group.pk}"
