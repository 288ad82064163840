"""The pages of streams and projections."""

from datetime import UTC, datetime
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from eventhub.access.audit import actor_of
from eventhub.handlers.permissions import may_operate
from eventhub.pages.partials import is_partial
from eventhub.pages.toasts import toast
from eventhub.sourcing import listing
from eventhub.sourcing.listing import Look
from eventhub.sourcing.projecting import figures, rebuilding
from eventhub.sourcing.time_travel import By

DONE = {
    "pause": "{} is paused: its table stays as it is.",
    "resume": "{} goes on.",
    "skip": "{} goes on behind the event that it was stopped at.",
    "rebuild": "{} is rebuilt beside the live table, which is kept up and read meanwhile.",
}


@require_safe
def streams(request: HttpRequest) -> HttpResponse:
    """All streams, the newest first."""
    category, prefix = (
        request.GET.get("category", ""),
        request.GET.get("name", "").strip().replace("\x00", ""),
    )
    before = _number(request.GET.get("before"))
    found = listing.streams(category=category.replace("\x00", ""), prefix=prefix, before=before)
    return render(
        request,
        "streams/list.html",
        {
            "streams": found,
            "categories": listing.categories(),
            "category": category,
            "prefix": prefix,
            "older": found[-1].id if len(found) == listing.PER_PAGE else None,
        },
    )


@require_safe
def stream(request: HttpRequest, name: str) -> HttpResponse:
    """One stream with the slider; as a partial, what it was at the chosen moment."""
    found, problem = _look(request, name)
    if found is None:
        raise Http404(f"There is no stream {name!r}.")
    found = listing.shown(request, found)
    context: dict[str, Any] = {
        "name": name,
        "look": found,
        "problem": problem or found.problem,
        "at": request.GET.get("at", ""),
        "by": request.GET.get("by", "occurred"),
    }
    return render(request, "streams/_at.html" if is_partial(request) else "streams/stream.html", context)


@require_safe
def projections(request: HttpRequest) -> HttpResponse:
    """All projections; as a partial, their rows."""
    return render(
        request,
        "projections/_list.html" if is_partial(request) else "projections/list.html",
        _standings(request),
    )


@require_POST
def change_projection(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """Pause, resume, skip, rebuild."""
    kind, said = "success", DONE[verb].format(name)
    try:
        rebuilding.change_state(name, verb, actor_of(request))
    except rebuilding.NoSuchProjection as error:
        raise Http404(str(error)) from error
    except rebuilding.NotStopped as error:
        kind, said = "warning", str(error)
    if not is_partial(request):
        messages.add_message(request, messages.SUCCESS if kind == "success" else messages.WARNING, said)
        return redirect("projections")
    response = render(request, "projections/_list.html", _standings(request))
    return toast(response, said, "success" if kind == "success" else "warning")


def _standings(request: HttpRequest) -> dict[str, Any]:
    return {
        "projections": figures.standings(),
        "may_operate": may_operate(request.user),
        "counted": figures.COUNTED,
    }


def _look(request: HttpRequest, name: str) -> tuple[Look | None, str]:
    """What the address asks for; a time that is none is told of, and the newest state shown."""
    given = request.GET
    by = cast(By, given.get("by") if given.get("by") in ("occurred", "recorded") else "occurred")
    at, problem = None, ""
    if given.get("at"):
        try:
            at = datetime.fromisoformat(given["at"])
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        except ValueError:
            problem = f"{given['at']!r} is no time; write 2026-11-24T10:10."
    found = listing.look(
        name, version=_number(given.get("version")), at=at, by=by, since=_number(given.get("since"))
    )
    return found, problem


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None
