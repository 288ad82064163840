"""One dead letter over the REST API: reading it, and deciding about it. Finding them: `dlq.api_finding`."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.errors import HttpError

from dlq import closing, rereading
from dlq.jobs import selection, starting, tally
from dlq.models import DeadLetter, Reason, RetryState, Status
from dlq.permissions import require_ids
from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.schemas.personal.showing import body_shown_to

router = Router(tags=["dead letters"])


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


class Letter(Schema):
    """A dead letter."""

    id: int
    status: Status
    reason: Reason
    group_id: int
    source: str
    topic: str
    partition: int | None
    offset: str
    key: str | None
    event_id: str | None
    event_type: str | None
    event_version: str | None
    event_source: str | None
    correlation_id: str | None
    causation_id: str | None
    failed_in: str
    error_class: str
    error_message: str
    attempts: int
    returns: int
    size_bytes: int
    first_failed_at: datetime
    last_failed_at: datetime
    recorded_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None
    closed_by: str
    closed_note: str

    @staticmethod
    def resolve_source(letter: DeadLetter) -> str:
        """The source's name."""
        return letter.source.name


class RetryOut(Schema):
    """One retry of a letter."""

    attempt: int
    state: str
    destination: str
    requested_by: str
    requested_at: datetime
    published_at: datetime | None
    finished_at: datetime | None
    error: str


class LetterInFull(Letter):
    """A dead letter with its headers, stack and retries. Its body is at ``/api/dead-letters/ID/body``."""

    headers: dict[str, str]
    stack: str
    group_title: str
    retries: list[RetryOut]

    @staticmethod
    def resolve_group_title(letter: DeadLetter) -> str:
        """The title of its group."""
        return letter.group.title

    @staticmethod
    def resolve_retries(letter: DeadLetter) -> list[Any]:
        """All of them, the oldest first."""
        return list(letter.retries.all())


class DiscardIn(Schema):
    """Why a letter is discarded."""

    reason: str


class Done(Schema):
    """What became of the request."""

    id: int
    status: Status
    detail: str


@router.get(
    "/dead-letters/{int:letter_id}",
    auth=requires(Scope.READ),
    response={200: LetterInFull, 404: Problem},
    summary="One dead letter",
)
def get_letter(request: HttpRequest, letter_id: int) -> DeadLetter:
    """One dead letter, with its headers, stack and retries."""
    return get_object_or_404(
        DeadLetter.objects.select_related("source", "group").defer("body").prefetch_related("retries"),
        pk=letter_id,
    )


@router.get(
    "/dead-letters/{int:letter_id}/body",
    auth=requires(Scope.READ),
    summary="The raw body",
    openapi_extra={"responses": {200: {"content": {"application/octet-stream": {}}}}},
)
def get_body(request: HttpRequest, letter_id: int) -> HttpResponse:
    """The body of a dead letter, byte for byte."""
    letter = get_object_or_404(DeadLetter.objects.only("body", "event_type"), pk=letter_id)
    return HttpResponse(
        body_shown_to(request, letter.event_type, bytes(letter.body), f"dead letter {letter_id}"),
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="dead-letter-{letter_id}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.post(
    "/dead-letters/{int:letter_id}/retry",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: Done, (403, 404, 409, 502): Problem},
    summary="Retry",
)
def retry(request: HttpRequest, letter_id: int) -> dict[str, Any]:
    """Send the letter's message again, once, to where it was before it died.

    Answers when the broker has it. 409 when its state does not allow it, 502 when the broker did not take it.
    """
    _check(request, letter_id)
    try:
        job = starting.start(selection.of_letters([letter_id]), actor_of(request))
    except starting.NothingToSend as error:
        raise HttpError(409, str(error)) from error
    failed = job.retries.filter(state=RetryState.NOT_PUBLISHED).first()
    if failed:
        raise HttpError(502, failed.error)
    sent = tally.read_tally(job).sent
    return _done(
        letter_id, "Sent. Its outcome is not known yet." if sent else f"It waits in retry job {job.pk}."
    )


@router.post(
    "/dead-letters/{int:letter_id}/discard",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: Done, (403, 404, 409, 422): Problem},
    summary="Discard",
)
def discard(request: HttpRequest, letter_id: int, body: DiscardIn) -> dict[str, Any]:
    """Take the letter off the list, with a reason. It stays readable and can be reopened."""
    _check(request, letter_id)
    try:
        closed = closing.discard([letter_id], body.reason, actor_of(request))
    except closing.NoReason as error:
        raise HttpError(422, str(error)) from error
    if closed.refused:
        raise HttpError(409, closed.refused[0].why)
    return _done(letter_id, "Discarded.")


@router.post(
    "/dead-letters/{int:letter_id}/reopen",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: Done, (403, 404, 409): Problem},
    summary="Reopen",
)
def reopen(request: HttpRequest, letter_id: int) -> dict[str, Any]:
    """Put a discarded or resolved letter back on the list."""
    _check(request, letter_id)
    closed = closing.reopen([letter_id], actor_of(request))
    if closed.refused:
        raise HttpError(409, closed.refused[0].why)
    return _done(letter_id, "Open again.")


@router.post(
    "/dead-letters/{int:letter_id}/read-again",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: Done, (403, 404, 409): Problem},
    summary="Read again",
)
def read_again(request: HttpRequest, letter_id: int) -> dict[str, Any]:
    """Read a message that EventHub could not read as its source reads it now, and store the event in it.

    Nothing is sent. 409 when it still cannot be read or stored, or its state does not allow it.
    """
    _check(request, letter_id)
    closed = rereading.read_again([letter_id], actor_of(request))
    if closed.refused:
        raise HttpError(409, closed.refused[0].why)
    return _done(letter_id, "Read and stored.")


def _check(request: HttpRequest, letter_id: int) -> None:
    require_ids(request, [letter_id])
    if not DeadLetter.objects.filter(pk=letter_id).exists():
        raise HttpError(404, f"There is no dead letter {letter_id}.")


def _done(letter_id: int, detail: str) -> dict[str, Any]:
    status = DeadLetter.objects.values_list("status", flat=True).get(pk=letter_id)
    return {"id": letter_id, "status": status, "detail": detail}
