"""The page of one trace, whole and in the parts that are asked for by their target: rows, panel, news."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from dlq.permissions import may_operate
from eventhub.events import queries
from eventhub.events.showing import shown_to
from eventhub.traces import tabs
from eventhub.traces.assemble import Trace
from eventhub.traces.finding import found_in, words_of
from eventhub.traces.htmx import HtmxRequest
from eventhub.traces.loading import MOST_EVENTS
from eventhub.traces.models import Instance
from eventhub.traces.opened import Opened, mark_of, open_again, open_trace
from eventhub.traces.panel import Panel, panel_of
from eventhub.traces.search import direct_hit
from eventhub.traces.story import in_words, story_of
from eventhub.traces.views import number_in, place_of
from eventhub.traces.waterfall import CHUNK, WHOLE, Waterfall, waterfall

# The tabs that draw a row an event.
_LISTED = ("waterfall", "events")
# The tabs that are drawn again in place when something came; the others offer it.
_DRAWN_AGAIN = (*_LISTED, "sequence")
# A trace that moved within this long is looked at more often.
_RECENT_S = 900


def trace_detail(request: HtmxRequest, correlation_id: str) -> HttpResponse:
    """One trace; with ``?event=`` one of its events beside it, with ``?find=`` only the events that hold the words."""
    now = datetime.now(UTC)
    correlation_id = correlation_id.replace("\x00", "")
    part = request.htmx.target
    if part == "news":
        return render(request, "traces/_news.html", _news(request, correlation_id))
    opened = (open_again if part in ("rows", "panel") else open_trace)(correlation_id, now)
    if opened is None:
        if hit := direct_hit(correlation_id):
            return HttpResponseRedirect(place_of(*hit))
        return render(request, "traces/missing.html", {"wanted": correlation_id, "what": "trace"}, status=404)
    if part == "rows":
        return render(request, "traces/_more_rows.html", _rows(request, opened))
    if part == "panel":
        trace = opened.loaded.trace
        context = {"panel": _panel(request, trace), "trace": trace, "kept_query": _kept_query(request)}
        return render(request, "traces/_panel.html", {**context, "may_operate": may_operate(request.user)})
    if (file := tabs.download(request, opened.loaded.trace)) is not None:
        return file
    whole = part != "trace-main"
    template = "traces/detail.html" if whole else "traces/_live.html"
    return render(request, template, {**_page(request, opened, now), "oob": not whole})


def _page(request: HtmxRequest, opened: Opened, now: datetime) -> dict[str, Any]:
    trace = opened.loaded.trace
    tab = tabs.chosen_tab(request)
    story = story_of(trace)
    layout = opened.layout(raw_clock=_is_raw_clock(request))
    return {
        **_rows(request, opened),
        "story": story,
        "in_words": in_words(trace, story),
        "panel": _panel(request, trace),
        "tabs": tabs.tabs(request, tab, len(trace.steps)),
        "skew": tabs.skew_notes(layout.shift),
        "is_raw_clock": _is_raw_clock(request),
        "most_events": MOST_EVENTS,
        "have": _mark_text(opened.mark),
        "is_recent": (now - trace.recorded_at).total_seconds() < _RECENT_S,
        "instance": Instance.objects.filter(correlation_id=trace.correlation_id).select_related("process").first(),
        **tabs.contents(request, tab, trace, now),
    }  # fmt: skip


def _rows(request: HtmxRequest, opened: Opened) -> dict[str, Any]:
    """What rows are drawn with."""
    tab = tabs.chosen_tab(request)
    trace = opened.loaded.trace
    find = request.GET.get("find", "").strip()
    among = found_in(trace, words_of(find), shown_to(request)) if find and tab in _LISTED else None
    return {
        "trace": trace,
        "tab": tab,
        "find": find,
        "may_operate": may_operate(request.user),
        "chosen_id": request.GET.get("event", ""),
        "kept_query": _kept_query(request),
        "waterfall": _window(request, opened, among) if tab in _LISTED else None,
    }


def _window(request: HtmxRequest, opened: Opened, among: list[int] | None) -> Waterfall:
    """The rows asked for; of a page the first ones, or those around the event that it is about."""
    layout = opened.layout(raw_clock=_is_raw_clock(request))
    first = number_in(request.GET.get("first"))
    if request.htmx.target == "rows":
        return waterfall(layout, first, CHUNK, among)
    trace = opened.loaded.trace
    total = len(trace.steps) if among is None else len(among)
    if total <= WHOLE:
        return waterfall(layout, 0, WHOLE, among)
    wanted = trace.step_of(request.GET.get("near", "") or request.GET.get("event", ""))
    if wanted is not None and (among is None or wanted.index in among):
        first = wanted.index if among is None else among.index(wanted.index)
    first = min(first, total - 1)
    return waterfall(layout, first - first % CHUNK, 2 * CHUNK, among)


def _panel(request: HtmxRequest, trace: Trace) -> Panel | None:
    wanted = request.GET.get("event", "").replace("\x00", "")
    step = trace.step_of(wanted) if wanted else None
    if step is None:
        return None
    return panel_of(trace, step, queries.events_by_id(step.event_id), shown_to(request))


def _news(request: HtmxRequest, correlation_id: str) -> dict[str, Any]:
    """What came since the page was drawn, when the trace stood as `have` says."""
    have = request.GET.get("have", "")
    mark = mark_of(correlation_id)
    return {
        "news": max(0, mark[0] - number_in(have.split("-")[0])),
        "is_changed": _mark_text(mark) != have,
        "tab": tabs.chosen_tab(request),
        "drawn_again": _DRAWN_AGAIN,
    }


def _kept_query(request: HtmxRequest) -> str:
    """What the addresses of rows and events keep of this one, up to where their own part begins: tab=events&."""
    kept = [(name, request.GET[name]) for name in ("tab", "find", "clock") if request.GET.get(name)]
    return f"{urlencode(kept)}&" if kept else ""


def _mark_text(mark: tuple[int, tuple[tuple[str, int], ...]]) -> str:
    """How a trace stands, for the address of a question: 12-open1."""
    events, letters = mark
    return "-".join([str(events), *(f"{status}{number}" for status, number in letters)])


def _is_raw_clock(request: HtmxRequest) -> bool:
    return request.GET.get("clock") == "raw"
