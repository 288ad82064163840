"""Changing dead letters: the sheets that ask, and what they do."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from dlq import closing, listing
from dlq.models import DeadLetter, Reason, Retry, RetryState
from dlq.operating import retry_letters
from dlq.permissions import WHY_NOT, may_operate
from dlq.retry import MAX_AT_ONCE, NotNow, Refusal, refuse_retry
from dlq.routes import NoRoute, route_of
from dlq.views.filters import filter_of
from eventhub.access.audit import actor_of
from eventhub.pages.toasts import Kind, toast

View = Callable[[HttpRequest], HttpResponse]
# Letters named one by one in a sheet; beyond, they are counted.
NAMED = 8


class Choice(msgspec.Struct, frozen=True):
    """The letters that somebody chose: ticked ones, or what is open in a group under a filter."""

    ids: list[int]
    # Of a group with more letters than go at once.
    has_more: bool = False

    @property
    def single(self) -> int | None:
        """The letter, when it is only one."""
        return self.ids[0] if len(self.ids) == 1 else None


def operators_only(view: View) -> View:
    """403 with words for those who may only read: in the sheet, or as a page."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if may_operate(request.user):
            return view(request)
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(WHY_NOT, status=403, content_type="text/plain")
        raise PermissionDenied(WHY_NOT)

    return guarded


@require_http_methods(["GET", "POST"])
@operators_only
def retry(request: HttpRequest) -> HttpResponse:
    """GET: the sheet that says where the letters go and what will happen. POST: send them."""
    if request.method == "GET":
        choice = _chosen(request.GET)
        return render(request, "dlq/_retry_sheet.html", _preview(choice))
    choice = _chosen(request.POST)
    outcome = retry_letters(choice.ids, actor_of(request))
    said = _said_of_retry(len(outcome.sent), len(outcome.being_sent))
    if outcome.refused:
        response = render(
            request,
            "dlq/_outcome_sheet.html",
            {"title": "Retry", "done": said, "refused": outcome.refused, "named": _named(outcome.refused)},
        )
        return _changed(response)
    return _finish(said)


@require_http_methods(["GET", "POST"])
@operators_only
def discard(request: HttpRequest) -> HttpResponse:
    """GET: the sheet that asks for a reason. POST: discard."""
    if request.method == "GET":
        return render(request, "dlq/_discard_sheet.html", {"choice": _chosen(request.GET)})
    choice = _chosen(request.POST)
    try:
        closed = closing.discard(choice.ids, request.POST.get("reason", ""), actor_of(request))
    except closing.NoReason as error:
        return render(request, "dlq/_discard_sheet.html", {"choice": choice, "error": str(error)}, status=422)
    return _closed(request, "Discard", "Discarded", closed)


@require_POST
@operators_only
def reopen(request: HttpRequest) -> HttpResponse:
    """Put letters back on the list."""
    closed = closing.reopen(_chosen(request.POST).ids, actor_of(request))
    return _closed(request, "Reopen", "Reopened", closed)


@require_POST
@operators_only
def resolve(request: HttpRequest) -> HttpResponse:
    """Mark letters as resolved that were sent and not heard of."""
    actor = actor_of(request)
    note = f"{actor.name} marked it as resolved: its retry was sent, and no word came back."
    return _closed(request, "Resolve", "Resolved", closing.resolve(_chosen(request.POST).ids, note, actor))


def _chosen(given: QueryDict) -> Choice:
    if group := given.get("all_of"):
        wanted = filter_of(given.dict(), int(group) if re.fullmatch(r"[0-9]{1,18}", group) else None)  # type: ignore[arg-type]
        ids = listing.open_letter_ids(wanted, MAX_AT_ONCE + 1)
        return Choice(ids[:MAX_AT_ONCE], has_more=len(ids) > MAX_AT_ONCE)
    ids = sorted({int(pk) for pk in given.getlist("letter") if re.fullmatch(r"[0-9]{1,18}", pk)})
    return Choice(ids[:MAX_AT_ONCE], has_more=len(ids) > MAX_AT_ONCE)


def _preview(choice: Choice) -> dict[str, Any]:
    """What a retry of these letters would do, in words, and what speaks against it."""
    found = list(
        DeadLetter.objects.filter(pk__in=choice.ids)
        .select_related("source")
        .defer("body", "headers", "stack")
        .order_by("pk")
    )
    alive = {
        item.letter_id: item
        for item in Retry.objects.filter(
            letter__in=choice.ids, state__in=[RetryState.CLAIMED, RetryState.PUBLISHED]
        )
    }
    going: list[DeadLetter] = []
    refused: list[Refusal] = []
    destinations: Counter[str] = Counter()
    for letter in found:
        try:
            refuse_retry(letter, alive.get(letter.pk))
            destinations[route_of(letter).destination] += 1
            going.append(letter)
        except (NotNow, NoRoute) as refusal:
            refused.append(Refusal(letter.pk, str(refusal)))
    returned = sum(1 for letter in going if letter.returns)
    uncertain = (
        Retry.objects.filter(letter__in=going, state=RetryState.UNCERTAIN).values("letter").distinct().count()
    )
    return {
        "choice": choice,
        "going": going,
        "refused": refused,
        "named": _named(refused),
        "destinations": destinations.most_common(),
        "readers": sorted({letter.failed_in for letter in going if letter.failed_in}),
        "unread": sum(1 for letter in going if letter.reason != Reason.SERVICE),
        "returned": returned,
        "uncertain": uncertain,
        "attempt": going[0].attempts + 1 if len(going) == 1 else None,
        "size": DeadLetter.objects.filter(pk__in=[letter.pk for letter in going]).aggregate(
            s=Sum("size_bytes")
        )["s"],
    }


def _closed(request: HttpRequest, title: str, verb: str, closed: closing.Closed) -> HttpResponse:
    said = f"{verb} {_letters(len(closed.done))}." if closed.done else ""
    if not closed.refused:
        return _finish(said)
    context = {"title": title, "done": said, "refused": closed.refused, "named": _named(closed.refused)}
    return _changed(render(request, "dlq/_outcome_sheet.html", context))


def _named(refused: Sequence[Refusal]) -> list[tuple[str, list[int], int]]:
    """Refusals by their words: the words, a few letters, how many more."""
    by_words: dict[str, list[int]] = {}
    for refusal in refused:
        by_words.setdefault(refusal.why, []).append(refusal.letter_id)
    return [(why, ids[:NAMED], max(0, len(ids) - NAMED)) for why, ids in by_words.items()]


def _finish(said: str, kind: Kind = "success") -> HttpResponse:
    return _changed(toast(HttpResponse(status=204), said or "Nothing was chosen.", kind, close_sheet=True))


def _changed(response: HttpResponse) -> HttpResponse:
    """The lists and letters on the page ask again."""
    return trigger_client_event(response, "dead-letters-changed", {})


def _said_of_retry(sent: int, being_sent: int) -> str:
    if sent and being_sent:
        return f"Sent {_letters(sent)}; {being_sent} more on their way."
    if sent:
        return f"Sent {_letters(sent)}; the outcome is awaited."
    return f"Sending {_letters(being_sent)}; the outcomes are awaited." if being_sent else ""


def _letters(count: int) -> str:
    return "1 letter" if count == 1 else f"{count:,} letters"
