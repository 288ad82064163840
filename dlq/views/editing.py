"""Editing a letter: the page with its editor, what is wrong while typing, and what a second person decides."""

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from dlq.edits import drafting, editing
from dlq.edits.comparing import compare
from dlq.edits.drafting import Draft
from dlq.edits.identity import pretty
from dlq.models import DeadLetter, Edit, EditState
from dlq.permissions import WHY_NOT, may_operate, require_ids, require_letters
from dlq.routes import NoRoute, route_of
from dlq.views.asking import finish
from eventhub.access.audit import actor_of
from eventhub.pages.toasts import toast
from eventhub.schemas.personal import showing as personal


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the editor. POST: keep the edit and send it, or say what is wrong."""
    letter = _letter(pk)
    require_ids(request, [pk])
    personal.require(request, letter.event_type)
    if request.method == "GET":
        try:
            editing.refuse_edit(letter)
            draft = drafting.begin(letter)
        except editing.NotEditable as refusal:
            return render(
                request, "dlq/not_editable.html", {"letter": letter, "why": str(refusal)}, status=409
            )
        return render(request, "dlq/edit.html", _context(letter, draft) | {"draft": draft})
    draft = _draft(request.POST)
    try:
        saved = editing.save(pk, draft, request.POST.get("note", ""), actor_of(request))
    except editing.NotEditable as refusal:
        return render(request, "dlq/_edit_check.html", {"refusal": str(refusal)}, status=409)
    except editing.BadEdit:
        return render(request, "dlq/_edit_check.html", _context(letter, draft) | {"tried": True}, status=422)
    response = HttpResponseClientRedirect(reverse("dead-letter", args=[pk]))
    return response if not saved.trouble else toast(response, saved.trouble, "warning")


@require_POST
def edit_check(request: HttpRequest, pk: int) -> HttpResponse:
    """What is wrong with what was typed so far, and how it differs from what came."""
    require_ids(request, [pk])
    letter = _letter(pk)
    personal.require(request, letter.event_type)
    return render(request, "dlq/_edit_check.html", _context(letter, _draft(request.POST)))


@require_POST
def edit_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """A second person approves or declines an edit."""
    require_letters(request, DeadLetter.objects.filter(edits=pk))
    actor = actor_of(request)
    try:
        if request.POST.get("verdict") == "approve":
            saved = editing.approve(pk, actor)
            return finish(saved.trouble or "Approved, and sent.", "warning" if saved.trouble else "success")
        editing.decline(pk, request.POST.get("why", ""), actor)
    except editing.NotEditable as refusal:
        return finish(str(refusal), "warning")
    return finish("Declined. The letter can be edited anew.")


@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """The edits that wait for a second person."""
    found = (
        Edit.objects.filter(state=EditState.WAITING).select_related("letter").defer("body", "letter__body")
    )
    context = {"edits": found[:200], "may_operate": may_operate(request.user), "why_not": WHY_NOT}
    return render(request, "dlq/edits.html", context)


def edits_of(letter: DeadLetter, *, hidden: bool = False) -> dict[str, Any]:
    """The edits of a letter, with their differences unless `hidden`, and which letter it is an edit of."""
    edits = list(letter.edits.all())
    original = b""
    if edits:
        original = bytes(DeadLetter.objects.values_list("body", flat=True).get(pk=letter.pk))
    shown = [
        {
            "edit": one,
            "rows": [] if hidden else compare(_text(original), _text(bytes(one.body))),
            "is_waiting": one.state == EditState.WAITING,
        }
        for one in edits
    ]
    of = letter.headers.get("eventhub-edit-of", "")
    edit_events = [one.event_id for one in edits]
    again = DeadLetter.objects.filter(event_id__in=edit_events).only("pk").first() if edit_events else None
    try:
        editing.refuse_edit(letter)
        why_no_edit = ""
    except editing.NotEditable as refusal:
        why_no_edit = str(refusal)
    return {
        "edits": shown,
        "edit_of": int(of) if of.isdecimal() and of != str(letter.pk) else None,
        "edit_again": again,
        "why_no_edit": why_no_edit,
    }


def _context(letter: DeadLetter, draft: Draft) -> dict[str, Any]:
    original = drafting.begin(letter)
    try:
        destination = route_of(letter).destination
    except NoRoute:
        destination = ""
    return {
        "letter": letter,
        "original": original,
        "found": drafting.problems(letter, draft),
        "rows": compare(original.text, draft.text.replace("\r\n", "\n")),
        "header_rows": compare(original.headers, draft.headers.replace("\r\n", "\n")),
        "key_changed": draft.key != original.key,
        "is_changed": draft != original,
        "destination": destination,
    }


def _letter(pk: int) -> DeadLetter:
    return get_object_or_404(DeadLetter.objects.select_related("source", "group"), pk=pk)


def _draft(given: QueryDict) -> Draft:
    return Draft(
        given.get("body", "").replace("\r\n", "\n"),
        given.get("headers", "").replace("\r\n", "\n"),
        given.get("key", ""),
    )


def _text(body: bytes) -> str:
    return pretty(body) or body.decode(errors="replace")
