"""What people decide about a finding: they accept it for a while, suppress it, or open it again."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.audit import Actor
from monitoring.review import scoring
from monitoring.review.models import Change, Finding, Score, State


class BadDecision(ValueError):
    """The decision cannot be taken as it is; the message says what is missing."""


WORDS = {State.ACCEPTED: "accept", State.SUPPRESSED: "suppress", State.OPEN: "reopen"}


@transaction.atomic
def decide(
    pk: int, state: State, actor: Actor, *, reason: str = "", expires_at: datetime | None = None
) -> Finding:
    """Bring a finding into `state`. Raises BadDecision, and Finding.DoesNotExist.

    Who accepts or suppresses says why. An acceptance ends one day: by then it is to be mended, or looked at again.
    """
    finding = Finding.objects.select_for_update().get(pk=pk)
    reason = reason.strip()
    now = timezone.now()
    if state not in WORDS:
        raise BadDecision(
            "A finding can be accepted, suppressed or opened again; it goes when it is not found any more."
        )
    if state is not State.OPEN and not reason:
        raise BadDecision("Say why: whoever finds this next month has only your words.")
    if state is State.ACCEPTED and expires_at is None:
        raise BadDecision("Say until when: what is accepted for ever is never mended.")
    if expires_at is not None and expires_at <= now:
        raise BadDecision("The date has passed already; choose a later one.")
    if finding.state == State.GONE:
        raise BadDecision("It is not found any more. If it returns, it is open again.")
    is_open = state is State.OPEN
    finding.state, finding.state_since = state, now
    finding.reason = "" if is_open else reason
    finding.decided_by = "" if is_open else actor.name[:150]
    finding.expires_at = None if is_open else expires_at
    finding.save()
    what = "reopened" if is_open else state.value
    Change.objects.create(
        finding=finding, what=what, by=actor.name[:150], reason=reason, expires_at=finding.expires_at
    )
    audit.record(actor, WORDS[state], f"finding {finding.pk} {finding.rule} {finding.service}", reason=reason)
    scoring.write(Score.objects.filter(day=now.date()).values_list("service", flat=True), now)
    return finding
