"""The page of replays: what was sent once more, how far it is, and the sheet that begins another."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from eventhub.access.audit import actor_of
from eventhub.brokers.models import Kind, Source
from eventhub.handlers import registry
from eventhub.handlers.asking import moment
from eventhub.handlers.permissions import may_operate
from eventhub.handlers.selecting import BadSelection
from eventhub.pages.partials import is_partial
from eventhub.pages.toasts import toast
from eventhub.sourcing import replaying
from eventhub.sourcing.models import Replay, ReplayState, ReplayTarget
from eventhub.sourcing.projecting import declaring
from eventhub.sourcing.replaying import BadReplay, Wanted

PER_PAGE = 50
TONES = {
    ReplayState.RUNNING: "busy",
    ReplayState.DONE: "ok",
    ReplayState.CANCELLED: "unknown",
    ReplayState.FAILED: "broken",
}


@require_safe
def replays(request: HttpRequest) -> HttpResponse:
    """The replays to topics and projections, the newest first; as a partial, their rows."""
    return render(
        request, "replays/_list.html" if is_partial(request) else "replays/list.html", _all(request)
    )


@require_http_methods(["GET", "HEAD", "POST"])
def new_replay(request: HttpRequest) -> HttpResponse:
    """The sheet of a new replay: which events and where to, the dry run, and with POST the replay itself."""
    given = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = _choices() | {
        "given": given,
        "target": given.get("target") or ReplayTarget.TOPIC,
    }
    try:
        if request.method == "POST":
            replaying.start(_wanted(given), actor_of(request))
            return _begun(request)
        if "dry_run" in given:
            context["plan"] = replaying.plan(_wanted(given))
    except (BadReplay, BadSelection) as error:
        context["error"] = str(error)
    return render(request, "replays/_sheet.html", context, status=422 if "error" in context else 200)


@require_POST
def cancel_replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Send nothing more."""
    try:
        cancelled = replaying.cancel(pk, actor_of(request))
    except Replay.DoesNotExist as error:
        raise Http404(f"There is no replay {pk}.") from error
    if not is_partial(request):
        return redirect("replays")
    said = f"Replay {pk} sends nothing more; the {cancelled.sent:,} events that are out stay out."
    return toast(render(request, "replays/_list.html", _all(request)), said)


def _begun(request: HttpRequest) -> HttpResponse:
    if not is_partial(request):
        return redirect("replays")
    response = render(request, "replays/_list.html", _all(request))
    response["HX-Retarget"], response["HX-Reswap"] = "#replays", "morph:innerHTML"
    return toast(response, "The replay has begun.", close_sheet=True)


def _wanted(given: QueryDict) -> Wanted:
    """What the form says. Raises BadReplay and BadSelection."""
    target = given.get("target", "")
    is_topic = target == ReplayTarget.TOPIC
    return Wanted(
        target=target,
        name=_text(given, "topic" if is_topic else "projection"),
        source=_text(given, "broker") if is_topic else "",
        event_types=_text(given, "event_types").replace(",", " ").split(),
        stream=_text(given, "stream"),
        category=_text(given, "category"),
        correlation_id=_text(given, "correlation_id"),
        service=_text(given, "service"),
        since=moment("since", given.get("since", "")),
        until=moment("until", given.get("until", "")),
        per_s=_rate(_text(given, "per_s")),
    )


def _rate(text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise BadReplay(f"The rate is {text[:40]!r}; write a number of events a second.") from None


def _choices() -> dict[str, Any]:
    """What a replay may lead to."""
    brokers = Source.objects.exclude(kind__in=(Kind.HTTP, Kind.HANDLERS)).order_by("name")
    return {
        "brokers": [(source.name, source.get_kind_display()) for source in brokers],
        "projections": sorted(declaring.declared()),
        "handlers": sorted(registry.subscriptions()),
    }


def _all(request: HttpRequest) -> dict[str, Any]:
    found = Replay.objects.all()
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    page = list(found[:PER_PAGE])
    rows = [
        {"replay": one, "tone": TONES[ReplayState(one.state)], "done": 100 * one.sent / max(one.total, 1)}
        for one in page
    ]
    return {
        "replays": rows,
        "is_moving": any(one.state == ReplayState.RUNNING for one in page),
        "older": page[-1].pk if len(page) == PER_PAGE else None,
        "may_operate": may_operate(request),
    }


def _text(given: Mapping[str, str], name: str) -> str:
    return given.get(name, "").replace("\x00", "").strip()
