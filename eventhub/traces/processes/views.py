"""The Processes pages: what is named, what was mined, and how the instances stand."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from eventhub.access import audit
from eventhub.access.models import Role
from eventhub.access.roles import may
from eventhub.pages.cursor import BadCursor, decode_cursor, encode_cursor
from eventhub.traces.htmx import HtmxRequest
from eventhub.traces.models import Instance, InstanceState, Process
from eventhub.traces.processes import figures, watching
from eventhub.traces.processes.proposing import name_process, propose

PAGE = 50


def process_list(request: HtmxRequest) -> HttpResponse:
    """Named processes with their counts, and what was mined."""
    context = {
        "rows": figures.process_rows(),
        "starts": figures.start_rows(),
        "waiting": watching.waiting(),
        "may_name": may(request, Role.EDITOR),
    }
    part = request.htmx.target == "processes"
    return render(request, "traces/processes/_list.html" if part else "traces/processes/list.html", context)


def process_detail(request: HtmxRequest, pk: int) -> HttpResponse:
    """One process: its way, its variants, its instances; ``?state=`` and ``?missing=`` choose among them."""
    process = get_object_or_404(Process, pk=pk)
    chosen = request.GET.get("state", "")
    state = chosen if chosen in InstanceState.values else ""
    missing = request.GET.get("missing", "").replace("\x00", "")
    rows, next_cursor = instances(process, state, missing, request.GET.get("cursor"))
    context = {
        "instances": rows,
        "next_url": _address(request, cursor=next_cursor) if next_cursor else "",
        "process": process,
    }
    if request.GET.get("cursor"):
        return render(request, "traces/processes/_instances.html", context)
    row = next(row for row in figures.process_rows() if row.process.pk == process.pk)
    variants = figures.variant_rows(process.start_type)
    way, undoing = figures.stations(process)
    p50_s, p99_s = figures.durations(variants)
    context |= {
        "row": row,
        "way": way,
        "undoing": undoing,
        "variants": variants,
        "p50_s": p50_s,
        "p99_s": p99_s,
        "state": state,
        "missing": missing,
        "states": [
            {"name": name, "count": row.counts.get(name, 0), "level": figures.LEVELS[InstanceState(name)]}
            for name in ("stuck", "running", "compensating", "compensated", "completed")
        ],
    }
    return render(request, "traces/processes/detail.html", context)


def mined(request: HtmxRequest, start_type: str) -> HttpResponse:
    """What was mined of the traces that begin with a type, and the process that it suggests."""
    variants = figures.variant_rows(start_type.replace("\x00", ""))
    if not variants:
        raise Http404(f"No trace that begins with {start_type} was looked at yet.")
    p50_s, p99_s = figures.durations(variants)
    context = {
        "start_type": start_type,
        "variants": variants,
        "p50_s": p50_s,
        "p99_s": p99_s,
        "proposal": propose(start_type),
        "process": Process.objects.filter(start_type=start_type).first(),
        "may_name": may(request, Role.EDITOR),
        "traces": sum(row.variant.count for row in variants),
    }
    return render(request, "traces/processes/mined.html", context)


@require_POST
def name(request: HtmxRequest, start_type: str) -> HttpResponse:
    """Keep the proposal as a process under a name, and go to its page."""
    given = request.POST.get("name", "").strip()[:80]
    if not given:
        return HttpResponse("Give the process a name.", status=400)
    try:
        with transaction.atomic():
            process = name_process(given, propose(start_type))
            audit.record(
                audit.actor_of(request), "name process", f"process {process.name}", begins_with=start_type
            )
    except IntegrityError:
        return HttpResponse(
            f"There is a process called {given} or one that begins with {start_type}.", status=409
        )
    watching.reconsider(start_type)
    return HttpResponseRedirect(reverse("process", args=[process.pk]))


def instances(
    process: Process, state: str = "", missing: str = "", cursor: str | None = None, limit: int = PAGE
) -> tuple[list[Instance], str]:
    """A page of a process's instances, the latest first, and the cursor of the next one; index instance_state."""
    found = Instance.objects.filter(process=process)
    if state:
        found = found.filter(state=state)
    if missing:
        found = found.filter(missing_type=missing)
    if cursor:
        at, pk = decode_cursor(cursor, tuple[str, int])
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as error:
            raise BadCursor(f"The cursor {cursor[:40]!r} is not one of this list's.") from error
        found = found.filter(Q(last_at__lt=moment) | Q(last_at=moment, pk__lt=pk))
    rows = list(found.order_by("-last_at", "-pk")[: limit + 1])
    if len(rows) <= limit:
        return rows, ""
    last = rows[limit - 1]
    return rows[:limit], encode_cursor(last.last_at.isoformat() if last.last_at else "", last.pk)


def _address(request: HtmxRequest, **changed: str) -> str:
    given = request.GET.copy()
    given.pop("cursor", None)
    for key, value in changed.items():
        given[key] = value
    return f"{request.path}?{given.urlencode()}"
