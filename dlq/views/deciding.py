"""Taking letters off the list and putting them back: the sheets that ask, and what they do."""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from dlq import closing, rereading
from dlq.permissions import require_ids
from dlq.views.asking import Choice, changed, chosen, finish, letters_in_words, named
from eventhub.access.audit import actor_of


@require_http_methods(["GET", "POST"])
def discard(request: HttpRequest) -> HttpResponse:
    """GET: the sheet that asks for a reason. POST: discard."""
    if request.method == "GET":
        return render(request, "dlq/_discard_sheet.html", {"choice": _chosen(request, request.GET)})
    choice = _chosen(request, request.POST)
    try:
        closed = closing.discard(choice.ids, request.POST.get("reason", ""), actor_of(request))
    except closing.NoReason as error:
        return render(request, "dlq/_discard_sheet.html", {"choice": choice, "error": str(error)}, status=422)
    return _closed(request, "Discard", "Discarded", closed)


@require_POST
def reopen(request: HttpRequest) -> HttpResponse:
    """Put letters back on the list."""
    closed = closing.reopen(_chosen(request, request.POST).ids, actor_of(request))
    return _closed(request, "Reopen", "Reopened", closed)


@require_POST
def resolve(request: HttpRequest) -> HttpResponse:
    """Mark letters as resolved that were sent and not heard of."""
    actor = actor_of(request)
    note = f"{actor.name} marked it as resolved: its retry was sent, and no word came back."
    return _closed(
        request, "Resolve", "Resolved", closing.resolve(_chosen(request, request.POST).ids, note, actor)
    )


def _chosen(request: HttpRequest, given: QueryDict) -> Choice:
    choice = chosen(given)
    require_ids(request, choice.ids)
    return choice


@require_POST
def read_again(request: HttpRequest) -> HttpResponse:
    """Read messages as their sources read them now, and store the events in them."""
    closed = rereading.read_again(_chosen(request, request.POST).ids, actor_of(request))
    return _closed(request, "Read again", "Read and stored", closed)


def _closed(request: HttpRequest, title: str, verb: str, closed: closing.Closed) -> HttpResponse:
    said = f"{verb} {letters_in_words(len(closed.done))}." if closed.done else ""
    if not closed.refused:
        return finish(said)
    context = {"title": title, "done": said, "refused": closed.refused, "named": named(closed.refused)}
    return changed(render(request, "dlq/_outcome_sheet.html", context))
