"""Edits of dead letters over the REST API."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError

from dlq.api import Problem
from dlq.edits import drafting, editing
from dlq.edits.drafting import Draft
from dlq.models import DeadLetter, Edit
from dlq.permissions import require_ids, require_letters
from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.schemas.personal import showing as personal

router = Router(tags=["dead letters"])


class EditIn(Schema):
    """The body as text; headers and key stay as they are when they are left out."""

    body: str
    headers: list[tuple[str, str]] | None = None
    key: str | None = None
    note: str = ""


class DeclineIn(Schema):
    """Why not."""

    why: str = ""


class EditOut(Schema):
    """An edit of a letter: a new event that is sent in its place."""

    id: int
    letter_id: int
    state: str
    event_id: str
    note: str
    made_by: str
    made_at: datetime
    decided_by: str
    decided_at: datetime | None
    decided_note: str


class Checked(Schema):
    """What is wrong with an edit; nothing was saved."""

    blocking: list[str]
    warnings: list[str]
    checked_by: str


LETTER = "/dead-letters/{int:letter_id}"


@router.get(f"{LETTER}/edits", auth=requires(Scope.READ), response=list[EditOut], summary="Edits of a letter")
def edits(request: HttpRequest, letter_id: int) -> Any:
    """All edits, declined ones too, the oldest first."""
    return Edit.objects.filter(letter=letter_id).defer("body")


@router.post(
    f"{LETTER}/edit/check",
    auth=requires(Scope.READ),
    response={200: Checked, (404, 409): Problem},
    summary="Check an edit",
)
def check(request: HttpRequest, letter_id: int, body: EditIn) -> Any:
    """Hold an edit against the event's form and its schema."""
    letter = _letter(letter_id)
    personal.require(request, letter.event_type)
    return drafting.problems(letter, _draft(letter, body))


@router.post(
    f"{LETTER}/edit",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: EditOut, (403, 404, 409, 422): Problem},
    summary="Edit and retry",
)
def edit(request: HttpRequest, letter_id: int, body: EditIn) -> Edit:
    """Send a new event in the letter's place; where edits need approval, it waits for a second person.

    409 when the letter was edited already or must not be edited now, 422 when the edit is not fit to be sent.
    """
    letter = _letter(letter_id)
    require_ids(request, [letter_id])
    personal.require(request, letter.event_type)
    try:
        return editing.save(letter_id, _draft(letter, body), body.note, actor_of(request)).edit
    except editing.BadEdit as error:
        raise HttpError(422, "; ".join(error.problems)) from error
    except editing.NotEditable as error:
        raise HttpError(409, str(error)) from error


@router.post(
    "/dead-letter-edits/{int:edit_id}/approve",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: EditOut, (403, 409): Problem},
    summary="Approve an edit",
)
def approve(request: HttpRequest, edit_id: int) -> Edit:
    """Let an edit of somebody else go."""
    require_letters(request, DeadLetter.objects.filter(edits=edit_id))
    try:
        return editing.approve(edit_id, actor_of(request)).edit
    except editing.NotEditable as error:
        raise HttpError(409, str(error)) from error


@router.post(
    "/dead-letter-edits/{int:edit_id}/decline",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: EditOut, (403, 409): Problem},
    summary="Decline an edit",
)
def decline(request: HttpRequest, edit_id: int, body: DeclineIn) -> Edit:
    """Do not let an edit go; the letter can be edited anew."""
    require_letters(request, DeadLetter.objects.filter(edits=edit_id))
    try:
        return editing.decline(edit_id, body.why, actor_of(request))
    except editing.NotEditable as error:
        raise HttpError(409, str(error)) from error


def _letter(letter_id: int) -> DeadLetter:
    letter = DeadLetter.objects.select_related("source").filter(pk=letter_id).first()
    if letter is None:
        raise HttpError(404, f"There is no dead letter {letter_id}.")
    return letter


def _draft(letter: DeadLetter, body: EditIn) -> Draft:
    try:
        original = drafting.begin(letter)
    except editing.NotEditable as error:
        raise HttpError(409, str(error)) from error
    headers = original.headers
    if body.headers is not None:
        headers = "\n".join(f"{name}: {value}" for name, value in body.headers)
    return Draft(body.body, headers, original.key if body.key is None else body.key)
