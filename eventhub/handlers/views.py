"""The pages of handlers: how each stands, what it did, pausing, switching, replaying."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dlq import counts
from dlq.models import DeadLetterGroup
from eventhub.access.audit import Actor, actor_of
from eventhub.brokers.models import Kind
from eventhub.handlers import control, figures, history, registry, replaying, wording
from eventhub.handlers.asking import selection_from
from eventhub.handlers.figures import HandlerNow
from eventhub.handlers.models import Handler, Replay, ReplayState, Which
from eventhub.handlers.permissions import may_operate
from eventhub.handlers.selecting import BadSelection, Selection, types_of
from eventhub.pages.partials import is_partial
from eventhub.pages.toasts import toast

MOST_ATTEMPTS = 12
MOST_GROUPS = 5
MOST_REPLAYS = 5
DONE: dict[str, tuple[Callable[[str, Actor], Handler], str]] = {
    "pause": (control.pause, "{} is paused: workers finish what they have in hand."),
    "resume": (control.resume, "{} is resumed."),
    "disable": (control.disable, "{} is off: new events are not delivered to it."),
    "enable": (control.enable, "{} is on: it gets the events from now on."),
    "try-again": (control.try_again, "{} is tried with its next delivery."),
}


@require_safe
def handlers(request: HttpRequest) -> HttpResponse:
    """All handlers; as a partial, their rows."""
    template = "handlers/_list.html" if is_partial(request) else "handlers/list.html"
    return render(request, template, _all(request))


@require_safe
def handler(request: HttpRequest, name: str) -> HttpResponse:
    """One handler; as a partial, everything on it that changes."""
    template = "handlers/_handler.html" if is_partial(request) else "handlers/handler.html"
    return render(request, template, _about(request, name))


@require_safe
def switch_off(request: HttpRequest, name: str) -> HttpResponse:
    """The sheet that says what switching off means."""
    return render(request, "handlers/_off_sheet.html", {"handler": _now(name)})


@require_POST
def change(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """Pause, resume, switch on or off, try again."""
    deed, words = DONE[verb]
    kind, said = "success", words.format(name)
    try:
        deed(name, actor_of(request))
    except control.NoSuchHandler as error:
        raise Http404(str(error)) from error
    except control.NotStopped as error:
        kind, said = "warning", str(error)
    if not is_partial(request):
        messages.add_message(request, messages.SUCCESS if kind == "success" else messages.WARNING, said)
        return redirect("handler", name)
    if request.GET.get("from") == "list":
        response = render(request, "handlers/_list.html", _all(request))
    else:
        response = render(request, "handlers/_handler.html", _about(request, name))
    return toast(response, said, "success" if kind == "success" else "warning", close_sheet=verb == "disable")


@require_http_methods(["GET", "POST"])
def replay(request: HttpRequest, name: str) -> HttpResponse:
    """The sheet of a replay: what to replay, the dry run, and with POST the replay itself."""
    given = request.POST if request.method == "POST" else request.GET
    subscription = registry.subscriptions().get(name)
    if subscription is None:
        raise Http404(f"{name} is not in the code: nothing can be replayed to it.")
    context: dict[str, Any] = {
        "name": name,
        "given": given,
        "chosen_types": given.getlist("event_type"),
        "types": types_of(subscription),
        "which": given.get("which") or Which.MISSED.value,
        "plan": None,
    }
    try:
        selection = selection_from(given, given.getlist("event_type"))
        if request.method == "POST":
            return _start_replay(request, name, selection, context["which"])
        if "dry_run" in given:
            context["plan"] = found = replaying.plan(name, selection)
            context["choices"] = choices = [
                (value, label, found.delivers(value)) for value, label in Which.choices
            ]
            if not given.get("which"):
                context["which"] = next((value for value, _, count in choices if count), Which.MISSED.value)
    except BadSelection as error:
        context["error"] = str(error)
    except OperationalError:
        context["error"] = (
            f"Counting took longer than {replaying.PLAN_TIMEOUT_S} s. Narrow it down by time or type."
        )
    return render(request, "handlers/_replay_sheet.html", context, status=422 if "error" in context else 200)


@require_POST
def cancel_replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Add no more deliveries."""
    try:
        cancelled = replaying.cancel(pk, actor_of(request))
    except Replay.DoesNotExist as error:
        raise Http404(f"There is no replay {pk}.") from error
    name = cancelled.handler.name
    if not is_partial(request):
        return redirect("handler", name)
    said = "The replay adds nothing more; what it delivered stays."
    return toast(render(request, "handlers/_handler.html", _about(request, name)), said)


def _start_replay(request: HttpRequest, name: str, selection: Selection, which: str) -> HttpResponse:
    replaying.start(name, selection, which, actor_of(request))
    if not is_partial(request):
        return redirect("handler", name)
    response = render(request, "handlers/_handler.html", _about(request, name))
    response["HX-Retarget"], response["HX-Reswap"] = "#handler", "morph:innerHTML"
    return toast(response, "The replay has begun.", close_sheet=True)


def _all(request: HttpRequest) -> dict[str, Any]:
    return {"handlers": figures.handlers_now(timezone.now()), "may_operate": may_operate(request.user)}


def _about(request: HttpRequest, name: str) -> dict[str, Any]:
    now = _now(name)
    subscription = registry.subscriptions().get(name)
    groups = list(DeadLetterGroup.objects.filter(failed_in=name, source__kind=Kind.HANDLERS)[:MOST_GROUPS])
    totals = counts.totals([group.pk for group in groups])
    replays = list(Replay.objects.filter(handler_id=now.id)[:MOST_REPLAYS])
    return {
        "handler": now,
        "options": wording.options(subscription) if subscription else [],
        "attempts": history.latest_attempts(now.id, MOST_ATTEMPTS),
        "failures": history.latest_failures(now.id, MOST_ATTEMPTS),
        "looked_at": history.LOOKED_AT,
        "groups": [(group, totals.get(group.pk, counts.GroupTotals())) for group in groups],
        "replays": replays,
        "is_replaying": any(one.state == ReplayState.RUNNING for one in replays),
        "may_operate": may_operate(request.user),
    }


def _now(name: str) -> HandlerNow:
    found = figures.handler_now(name, timezone.now())
    if found is None:
        raise Http404(f"There is no handler {name}.")
    return found
