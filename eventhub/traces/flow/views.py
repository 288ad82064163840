"""The Flow map page, and what its picture is drawn from."""

from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from eventhub.pages.formats import duration, percent, rate
from eventhub.pages.hues import glyph_of, hue_of
from eventhub.traces.flow.map import FlowMap, blast_radius, focused, read
from eventhub.traces.htmx import HtmxRequest
from eventhub.traces.models import FlowProgress, Process

RANGES = (
    ("5m", "5 min", timedelta(minutes=5)),
    ("1h", "1 h", timedelta(hours=1)),
    ("24h", "24 h", timedelta(days=1)),
    ("7d", "7 d", timedelta(days=7)),
)
_LENGTHS = {key: length for key, _, length in RANGES}
# How far back the slider goes, in steps of the range's own length.
MOST_STEPS = 48


def flow_map(request: HtmxRequest) -> HttpResponse:
    """The map; ``?range=`` how long, ``?back=`` how many such lengths ago, ``?focus=`` on a service or a type."""
    key, start, end, back = asked(request)
    flow, focus = _flow(request, start, end)
    progress = FlowProgress.objects.filter(pk=1).first()
    processes = list(Process.objects.filter(enabled=True).prefetch_related("steps"))
    is_service = any(box.name == focus for box in flow.boxes)
    context = {
        "ranges": [
            {"url": _address(request, range=name), "label": label, "current": name == key}
            for name, label, _ in RANGES
        ],
        "range_key": key,
        "start": start,
        "end": end,
        "back": back,
        "most_steps": MOST_STEPS,
        "flow": flow,
        "links": sorted(flow.links, key=lambda link: -link.count),
        "focus": focus,
        "is_service": is_service,
        "focused_type": any(link.event_type == focus for link in flow.links),
        "blast": blast_radius(read(start, end), focus, processes) if is_service else None,
        "data_url": f"{reverse('flow-map-data')}?{request.GET.urlencode()}",
        "caught_up_at": progress.caught_up_at if progress else None,
        "clear_url": _address(request, focus=""),
    }
    return render(
        request, "traces/flow/_map.html" if request.htmx.target == "flow" else "traces/flow/map.html", context
    )


def flow_map_data(request: HttpRequest) -> JsonResponse:
    """Nodes and edges of the picture."""
    _, start, end, _ = asked(request)
    flow, _ = _flow(request, start, end)
    return JsonResponse(
        {
            "nodes": [
                {"id": box.name, "column": box.column, "row": box.row, "glyph": glyph_of(box.name),
                 "rate": rate(box.per_s)}
                for box in flow.boxes
            ],
            "edges": [
                {"id": f"{n}", "source": link.publisher, "target": link.consumer, "type": link.event_type,
                 "hue": hue_of(link.event_type), "state": link.state, "per_s": link.per_s, "rate": rate(link.per_s),
                 "p95": duration(link.p95_s), "failed": percent(link.failed_share)}
                for n, link in enumerate(flow.links)
                if link.publisher and link.consumer
            ],
        }
    )  # fmt: skip


def asked(request: HttpRequest) -> tuple[str, datetime, datetime, int]:
    """The range that the address asks for: its key, start, end, and how many lengths back."""
    key = request.GET.get("range", "")
    key = key if key in _LENGTHS else "1h"
    text = request.GET.get("back", "")
    back = min(int(text), MOST_STEPS) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    end = datetime.now(UTC) - back * _LENGTHS[key]
    return key, end - _LENGTHS[key], end, back


def _flow(request: HttpRequest, start: datetime, end: datetime) -> tuple[FlowMap, str]:
    focus = request.GET.get("focus", "").replace("\x00", "")
    flow = read(start, end)
    return (focused(flow, focus) if focus else flow), focus


def _address(request: HttpRequest, **changed: str) -> str:
    given = request.GET.copy()
    if "range" in changed:
        given.pop("back", None)
    for name, value in changed.items():
        given.pop(name, None)
        if value:
            given[name] = value
    return f"{request.path}?{given.urlencode()}"
