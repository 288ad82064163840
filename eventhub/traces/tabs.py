"""The tabs of one trace, its exports, and the other trace that it is compared with: what each needs to be drawn."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from eventhub.events.showing import Show, shown_to
from eventhub.pages.formats import duration
from eventhub.traces import exporting
from eventhub.traces.assemble import Trace
from eventhub.traces.comparing import compare
from eventhub.traces.loading import load_trace
from eventhub.traces.models import Instance, Variant
from eventhub.traces.panel import raw_json
from eventhub.traces.sequence import graph_of, name_of, sequence_of
from eventhub.traces.story import story_of

TABS = (
    ("waterfall", "Waterfall"),
    ("sequence", "Sequence"),
    ("flow", "Flow"),
    ("events", "Events"),
    ("compare", "Compare"),
)
_NAMES = frozenset(name for name, _ in TABS)
_TYPES = {"json": "application/json", "otlp": "application/json", "mermaid": "text/plain; charset=utf-8"}
_ENDINGS = {"json": "json", "otlp": "otlp.json", "mermaid": "mmd"}


def chosen_tab(request: HttpRequest) -> str:
    """The tab that the address names."""
    tab = request.GET.get("tab", "")
    return tab if tab in _NAMES else "waterfall"


def tabs(request: HttpRequest, current: str, steps: int) -> list[dict[str, object]]:
    """The line of tabs."""
    return [
        {
            "url": tab_url(request, "" if name == "waterfall" else name),
            "label": label,
            "current": name == current,
            "count": steps if name == "events" else None,
        }
        for name, label in TABS
    ]


def tab_url(request: HttpRequest, tab: str) -> str:
    """The address of a tab; the chosen event stays."""
    given = request.GET.copy()
    for name in ("tab", "first", "near", "have", "with"):
        given.pop(name, None)
    if tab:
        given["tab"] = tab
    return f"{request.path}?{given.urlencode()}" if given else request.path


def contents(request: HttpRequest, tab: str, trace: Trace, now: datetime) -> dict[str, Any]:
    """What the chosen tab needs beyond the trace itself."""
    match tab:
        case "sequence":
            return {"sequence": sequence_of(trace)}
        case "flow":
            return {"graph_url": f"{request.path}?graph=1"}
        case "compare":
            return _comparison(request, trace, now)
    return {}


def download(request: HttpRequest, trace: Trace) -> HttpResponse | None:
    """The answer to ``?format=`` or ``?graph=1``; None when a page is asked for."""
    if request.GET.get("graph"):
        return JsonResponse(graph_of(trace))
    wanted = request.GET.get("format", "")
    if wanted not in _TYPES:
        return None
    response = HttpResponse(exported(trace, wanted, shown_to(request)), content_type=_TYPES[wanted])
    response["Content-Disposition"] = f'attachment; filename="{name_of(trace)}.{_ENDINGS[wanted]}"'
    return response


def exported(trace: Trace, wanted: str, show: Show) -> bytes:
    """The trace as "json" (its events as native envelopes), "otlp" or "mermaid"."""
    if wanted == "mermaid":
        return exporting.mermaid(trace).encode()
    if wanted == "otlp":
        return exporting.encode(exporting.otlp(trace))
    events = [raw_json(show(step.event), show(step.event).value) for step in trace.steps if step.event]
    return ("[\n" + ",\n".join(events) + "\n]\n").encode()


def skew_notes(shift: Mapping[str, float]) -> Sequence[str]:
    """What was moved, in words."""
    return [f"{service}: {duration(seconds)} later" for service, seconds in sorted(shift.items())]


def _comparison(request: HttpRequest, trace: Trace, now: datetime) -> dict[str, Any]:
    wanted = request.GET.get("with", "").replace("\x00", "").strip()
    if not wanted:
        return {"candidates": _candidates(trace)}
    loaded = load_trace(wanted, now)
    if loaded is None:
        return {"candidates": _candidates(trace), "unknown": wanted}
    other = loaded.trace
    return {"other": other, "other_story": story_of(other), "comparison": compare(trace, other)}


def _candidates(trace: Trace) -> list[tuple[str, str]]:
    """Traces worth comparing with: (correlation id, why). Of what begins the same, the usual way first."""
    mine = Instance.objects.filter(correlation_id=trace.correlation_id).select_related("variant").first()
    if mine is None or not mine.start_type:
        return []
    variants = Variant.objects.filter(start_type=mine.start_type, count__gt=0).order_by("failed", "-count")[
        :6
    ]
    return [
        (
            one.example,
            f"{one.count:,} traces went this way" + (", in trouble" if one.failed == one.count else ""),
        )
        for one in variants
        if one.example != trace.correlation_id
    ]
