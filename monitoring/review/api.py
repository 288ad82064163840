"""The REST API of the flow review."""

from datetime import datetime
from typing import Any, Literal

from django.db.models import Q
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema
from ninja.errors import HttpError

from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.pages.cursor import decode_cursor, encode_cursor
from monitoring.review import reading
from monitoring.review.deciding import BadDecision, decide
from monitoring.review.models import Finding, Severity, State
from monitoring.review.permissions import WHY_NOT, may_decide

router = Router(tags=["flow review"])


class EvidenceOut(Schema):
    """A page of EventHub that shows the flaw."""

    label: str
    href: str
    words: str


class FindingOut(Schema):
    """One flaw of one service, or of the whole."""

    id: int
    rule: str
    service: str = Field(description="Empty: the system as a whole.")
    subject: str = Field(description="The event type, entity or topic that it is about.")
    severity: str = Field(description="advice, flaw or broken.")
    title: str
    detail: str
    advice: str = Field(description="What to do instead.")
    n: int = Field(description="How often in the last 24 hours.")
    of: int | None = Field(description="Of so many that were looked at.")
    first_at: datetime
    last_at: datetime
    state: str = Field(description="open, accepted, suppressed or gone.")
    state_since: datetime
    times_returned: int
    reason: str
    decided_by: str
    expires_at: datetime | None
    evidence: list[EvidenceOut]


class FindingsOut(Schema):
    """Findings, the worst first."""

    items: list[FindingOut]
    next_cursor: str | None


class StandingOut(Schema):
    """A score: 100 without findings, less 15, 7 or 3 for each by its severity."""

    service: str = Field(description="Empty: the whole.")
    score: int
    findings: int
    weeks: list[int | None] = Field(description="At the end of each of the last weeks, the oldest first.")


class ScoresOut(Schema):
    """All scores, the whole first; never more than one page."""

    items: list[StandingOut]
    read_until: datetime | None = Field(description="When the last event that was read was recorded.")
    judged_at: datetime | None


class DecisionIn(Schema):
    """What a person or a script decides about a finding."""

    state: Literal["accepted", "suppressed", "open"]
    reason: str = ""
    expires_at: datetime | None = Field(None, description="Needed to accept.")


class Asked(Schema):
    """Which findings are asked for."""

    state: Literal["open", "accepted", "suppressed", "gone"] | None = Field(
        None, description="Without it: those that are open or accepted."
    )
    service: str | None = None
    rule: str | None = None
    severity: Literal["advice", "flaw", "broken"] | None = Field(None, description="This or worse.")
    cursor: str | None = None
    limit: int = Field(50, ge=1, le=200)


@router.get(
    "/review/findings",
    response=FindingsOut,
    auth=requires(Scope.READ),
    summary="What the flow review found",
    operation_id="list_findings",
)
def list_findings(request: HttpRequest, asked: Query[Asked]) -> dict[str, Any]:
    """Findings, the worst first."""
    severity = Severity[asked.severity.upper()] if asked.severity else None
    found = reading.findings(asked.state or "", asked.service, asked.rule or "", severity)
    found = found.order_by("-severity", "pk")
    if asked.cursor:
        worst, pk = decode_cursor(asked.cursor, tuple[int, int])
        found = found.filter(Q(severity__lt=worst) | Q(severity=worst, pk__gt=pk))
    rows = list(found[: asked.limit + 1])
    page = rows[: asked.limit]
    more = len(rows) > len(page)
    return {
        "items": [_told(one) for one in page],
        "next_cursor": encode_cursor(page[-1].severity, page[-1].pk) if more else None,
    }


@router.get(
    "/review/findings/{pk}",
    response=FindingOut,
    auth=requires(Scope.READ),
    summary="One finding",
    operation_id="get_finding",
)
def get_finding(request: HttpRequest, pk: int) -> dict[str, Any]:
    """A finding with its evidence."""
    return _told(get_object_or_404(Finding, pk=pk))


@router.post(
    "/review/findings/{pk}/decision",
    response=FindingOut,
    auth=requires(Scope.OPERATE),
    summary="Accept, suppress or reopen a finding",
    operation_id="decide_finding",
)
def decide_finding(request: HttpRequest, pk: int, decision: DecisionIn) -> dict[str, Any]:
    """Who accepts or suppresses says why; an acceptance has an end."""
    if request.user.is_authenticated and not may_decide(request):
        raise HttpError(403, WHY_NOT)
    get_object_or_404(Finding, pk=pk)
    try:
        return _told(
            decide(
                pk,
                State(decision.state),
                actor_of(request),
                reason=decision.reason,
                expires_at=decision.expires_at,
            )
        )
    except BadDecision as error:
        raise HttpError(422, str(error)) from None


@router.get(
    "/review/scores",
    response=ScoresOut,
    auth=requires(Scope.READ),
    summary="The scores of the flow review",
    operation_id="review_scores",
)
def scores(request: HttpRequest) -> dict[str, Any]:
    """The whole and each service, with the last eight weeks."""
    progress = reading.progress()
    return {
        "items": reading.standings(),
        "read_until": progress.read_until if progress else None,
        "judged_at": progress.judged_at if progress else None,
    }


def _told(one: Finding) -> dict[str, Any]:
    named = {name: getattr(one, name) for name in FindingOut.model_fields if name not in ("severity", "id")}
    return {"id": one.pk, "severity": Severity(one.severity).label, **named}
