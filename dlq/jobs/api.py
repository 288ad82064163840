"""Retry jobs over the REST API."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from dlq.filter import Filter
from dlq.jobs import controlling, progress, results, starting
from dlq.jobs.options import BadOption, Options, read_options
from dlq.jobs.preflight import preflight
from dlq.jobs.selection import BadSelection, Selection, of_filter, of_letters
from dlq.jobs.table import csv_lines
from dlq.models import JobState, Reason, RetryJob
from dlq.permissions import require_job, require_letters
from dlq.retry import NotNow
from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.pages.cursor import decode_cursor, encode_cursor

router = Router(tags=["retry jobs"])
Limit = Annotated[int, Field(ge=1, le=500)]


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


class FilterIn(Schema):
    """Open letters that fit all of these."""

    group: int | None = None
    reason: Reason | None = None
    source: str = ""
    event_type: str = ""
    topic: str = ""
    failed_in: str = ""
    error_class: str = ""
    correlation_id: str = ""
    # A value of the payload: data.order_id = 8412.
    attribute: str = ""
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""


class Asked(Schema):
    """Which letters, by id or by a filter, and how they are sent (docs/dead-letters.md lists the options)."""

    letters: list[int] = []
    filter: FilterIn | None = None
    options: dict[str, Any] = {}


class Order(Asked):
    """A job to be made."""

    # Not before; left out: at once.
    start_at: datetime | None = None
    # The asker's own name for the request: asked again by it, the same job answers.
    request_id: Annotated[str, Field(max_length=64)] = ""


class TallyOut(Schema):
    """A job's letters by what became of them."""

    waiting: int
    in_flight: int
    awaited: int
    silent: int
    succeeded: int
    returned: int
    no_word: int
    not_published: int
    uncertain: int
    withdrawn: int
    resent: int


class JobOut(Schema):
    """A retry job."""

    id: int
    state: JobState
    reason: str
    title: str
    requested_by: str
    requested_at: datetime
    start_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    is_finished: bool
    options: dict[str, Any]
    letters: int
    skipped: int
    sent: int
    tally: TallyOut


class JobsOut(Schema):
    """A page of jobs, the newest first."""

    items: list[JobOut]
    next_cursor: str | None


class DestinationOut(Schema):
    """Where letters would go, and what the broker says of the place (null: not known)."""

    destination: str
    letters: int
    exists: bool | None
    readers: int | None
    redirected: str


class FindingOut(Schema):
    """Something to know beforehand."""

    level: Literal["warn", "note"]
    text: str


class RefusalOut(Schema):
    """A letter that would stay as it is, and why."""

    letter: int
    why: str


class PreflightOut(Schema):
    """What a retry would do. Beyond 500 letters, the oldest are looked at and the others counted."""

    count: int
    at_least: bool
    looked_at: int
    sentence: str
    destinations: list[DestinationOut]
    findings: list[FindingOut]
    refused: list[RefusalOut]


class ResultOut(Schema):
    """What became of one letter."""

    letter_id: int
    event_type: str
    outcome: str
    detail: str
    destination: str
    attempt: int | None
    times_published: int
    at: datetime | None


class ResultsOut(Schema):
    """A page of results, in the order of the letters' ids."""

    items: list[ResultOut]
    next_cursor: str | None


@router.post(
    "/retry-jobs/preflight",
    auth=requires(Scope.READ),
    response={200: PreflightOut, 422: Problem},
    summary="What a retry would do",
)
def look_first(request: HttpRequest, body: Asked) -> dict[str, Any]:
    """Say where the letters would go, how many, and what speaks against it. Sends and changes nothing."""
    selection, options = _read(body)
    look = preflight(selection, options)
    return {
        "count": look.count,
        "at_least": look.at_least,
        "looked_at": len(look.going) + len(look.refused),
        "sentence": look.sentence,
        "destinations": [
            {
                "destination": place.words,
                "letters": place.letters,
                "exists": place.place.exists if place.place else None,
                "readers": place.place.readers if place.place else None,
                "redirected": place.redirected,
            }
            for place in look.destinations
        ],
        "findings": [msgspec.structs.asdict(finding) for finding in look.findings],
        "refused": [{"letter": refusal.letter_id, "why": refusal.why} for refusal in look.refused],
    }


@router.post(
    "/retry-jobs",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: JobOut, (403, 409, 422): Problem},
    summary="Start a job",
)
def start(request: HttpRequest, body: Order) -> dict[str, Any]:
    """Send letters again as a job. A few letters that nothing holds back are sent when it answers.

    409 when none of the letters can be sent now.
    """
    selection, options = _read(body)
    require_letters(request, selection.queryset())
    start_at = body.start_at
    if start_at is not None:
        start_at = start_at.replace(tzinfo=UTC) if start_at.tzinfo is None else start_at
        start_at = start_at if start_at > timezone.now() else None
    try:
        job = starting.start(
            selection, actor_of(request), options, start_at=start_at, request_id=body.request_id or None
        )
    except starting.NothingToSend as error:
        raise HttpError(409, str(error)) from error
    return _told(job)


@router.get("/retry-jobs", auth=requires(Scope.READ), response=JobsOut, summary="List jobs")
def list_jobs(
    request: HttpRequest, state: JobState | None = None, cursor: str = "", limit: Limit = 50
) -> dict[str, Any]:
    """Retry jobs, the newest first."""
    found = RetryJob.objects.order_by("-pk")
    if state is not None:
        found = found.filter(state=state)
    if cursor:
        found = found.filter(pk__lt=decode_cursor(cursor, tuple[int])[0])
    page = list(found[: limit + 1])
    items = page[:limit]
    return {
        "items": [_told(job) for job in items],
        "next_cursor": encode_cursor(items[-1].pk) if len(page) > limit else None,
    }


@router.get(
    "/retry-jobs/{int:job_id}",
    auth=requires(Scope.READ),
    response={200: JobOut, 404: Problem},
    summary="One job",
)
def get_job(request: HttpRequest, job_id: int) -> dict[str, Any]:
    """How a job stands: its state, and its letters by what became of them."""
    return _told(get_object_or_404(RetryJob, pk=job_id))


@router.get(
    "/retry-jobs/{int:job_id}/results",
    auth=requires(Scope.READ),
    response={200: ResultsOut, 404: Problem},
    summary="Results of each letter",
)
def get_results(request: HttpRequest, job_id: int, cursor: str = "", limit: Limit = 100) -> dict[str, Any]:
    """What became of each letter, in the order of their ids."""
    job = get_object_or_404(RetryJob, pk=job_id)
    after = decode_cursor(cursor, tuple[int, int]) if cursor else results.BEGINNING
    rows = results.page(job, limit + 1, after)
    shown = rows[:limit]
    return {
        "items": [msgspec.structs.asdict(row) | {"times_published": row.sends} for row in shown],
        "next_cursor": encode_cursor(*results.place_after(shown, after)) if len(rows) > limit else None,
    }


@router.get(
    "/retry-jobs/{int:job_id}/results.csv",
    auth=requires(Scope.READ),
    summary="Results as CSV",
    openapi_extra={"responses": {200: {"content": {"text/csv": {}}}}},
)
def get_csv(request: HttpRequest, job_id: int) -> HttpResponse | StreamingHttpResponse:
    """What became of each letter, as CSV."""
    job = get_object_or_404(RetryJob, pk=job_id)
    return StreamingHttpResponse(csv_lines(job), content_type="text/csv; charset=utf-8")


@router.post(
    "/retry-jobs/{int:job_id}/{verb}",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: JobOut, (403, 404, 409): Problem},
    summary="Pause, resume or cancel",
)
def control(request: HttpRequest, job_id: int, verb: Literal["pause", "resume", "cancel"]) -> dict[str, Any]:
    """Pause a job, go on with it (a scheduled one begins now), or cancel it. 409 when its state does not allow it."""
    require_job(request, get_object_or_404(RetryJob, pk=job_id))
    deeds = {"pause": controlling.pause, "resume": controlling.resume, "cancel": controlling.cancel}
    try:
        job = deeds[verb](job_id, actor_of(request))
    except NotNow as error:
        raise HttpError(409, str(error)) from error
    return _told(job)


def _read(asked: Asked) -> tuple[Selection, Options]:
    try:
        options = read_options(asked.options)
        if asked.filter is not None and asked.letters:
            raise BadSelection("Name letters or give a filter, not both.")
        if asked.filter is not None:
            wanted = {name: value for name, value in asked.filter.dict().items() if value is not None}
            return of_filter(Filter(**{name: _clean(value) for name, value in wanted.items()})), options
        if not asked.letters:
            raise BadSelection(
                "Say which letters: 'letters' with ids, or 'filter'. An empty filter means all."
            )
        return of_letters(asked.letters), options
    except (BadSelection, BadOption) as error:
        raise HttpError(422, str(error)) from error


def _clean(value: Any) -> Any:
    return value.replace("\x00", "") if isinstance(value, str) else value


def _told(job: RetryJob) -> dict[str, Any]:
    now = progress.of(job)
    names = [field for field in JobOut.model_fields if hasattr(job, field)]
    return {name: getattr(job, name) for name in names} | {
        "letters": now.tally.total,
        "sent": now.tally.sent,
        "tally": msgspec.structs.asdict(now.tally),
    }
