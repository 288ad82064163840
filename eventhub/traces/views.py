"""The Traces pages: the list, and one event."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from dlq.permissions import may_operate
from eventhub.events import queries
from eventhub.events.showing import Show, shown_to
from eventhub.pages.cursor import BadCursor, decode_cursor, encode_cursor
from eventhub.schemas.personal.showing import blind
from eventhub.traces import saved
from eventhub.traces.asking import address, asked_of, bar_of, meant, trace_query
from eventhub.traces.htmx import HtmxRequest
from eventhub.traces.loading import MOST_AROUND, load_single, load_trace
from eventhub.traces.panel import panel_of
from eventhub.traces.query import TraceQuery
from eventhub.traces.search import Found, Hits, direct_hit, search
from eventhub.traces.story import in_words, story_of
from eventhub.traces.walks import Key
from eventhub.traces.waterfall import miniature

PAGE = 40
# Characters of an event's payload in a list.
EXCERPT = 240
# Beyond this many "99+ new" says enough.
MOST_NEW = 99


def trace_list(request: HtmxRequest) -> HttpResponse:
    """The latest traces, or those that were searched for; ``?after=`` continues the list."""
    now = datetime.now(UTC)
    typed = request.GET.get("q", "")
    hit = direct_hit(typed) if typed and "after" not in request.GET else None
    if hit and not request.htmx:
        return HttpResponseRedirect(place_of(*hit))
    asked = asked_of(request.GET)
    understood = meant(asked)
    query = trace_query(request.GET, now, understood)
    before, since = _key(request.GET.get("after")), _key(request.GET.get("since"))
    if "count" in request.GET:
        news = search(query, now=now, limit=MOST_NEW + 1, newer_than=since, blind=blind(request))
        return JsonResponse({"count": len(news.found), "more": len(news.found) > MOST_NEW})
    hits = search(query, now=now, limit=PAGE, before=before, blind=blind(request))
    context = {
        **_list_context(request, query, hits),
        "bar": bar_of(request),
        "direct_url": place_of(*hit) if hit else "",
        "direct": typed.strip(),
        "problems": asked.problems,
        "guessed": understood.attributes if understood is not asked else (),
        "as_text_url": address(request, q=" ".join(f'text:"{word}"' for word in asked.words)),
        "saved": saved.searches_of(request.user),
        "here": saved.here(request.GET),
    }
    if before:
        return render(request, "traces/_rows.html", context)
    return render(
        request, "traces/_list.html" if request.htmx.target == "list" else "traces/list.html", context
    )


def event_page(request: HtmxRequest, event_id: str) -> HttpResponse:
    """One event: what it says, where it came from, who handled it, and its trace."""
    now = datetime.now(UTC)
    event_id = event_id.replace("\x00", "")
    stored = queries.events_by_id(event_id)
    if not stored:
        return render(request, "traces/missing.html", {"wanted": event_id, "what": "event"}, status=404)
    chosen = min(number_in(request.GET.get("version")), len(stored) - 1)
    event = stored[chosen]
    loaded = (
        load_trace(event.correlation_id, now, MOST_AROUND) if event.correlation_id else None
    ) or load_single(event, now)
    step = (
        next((step for step in loaded.trace.steps if step.event and step.event.key == event.key), None)
        or load_single(event, now).trace.steps[0]
    )
    context = {
        "panel": panel_of(loaded.trace, step, stored, shown_to(request)),
        "trace": loaded.trace,
        "may_operate": may_operate(request.user),
        "has_trace": event.correlation_id is not None,
        "story": story_of(loaded.trace),
        "versions": stored if len(stored) > 1 else [],
        "chosen": chosen,
    }
    return render(request, "traces/event.html", context)


def _list_context(request: HtmxRequest, query: TraceQuery, hits: Hits) -> dict[str, object]:
    top = encode_cursor(*hits.found[0].key) if hits.found else ""
    next_url = address(request, after=encode_cursor(*hits.next_key)) if hits.next_key else ""
    return {
        "rows": [_row(found, shown_to(request)) for found in hits.found],
        "hits": hits,
        "next_url": next_url,
        "count_url": address(request, count="1", since=top),
        "list_url": address(request),
        "query": query,
        "has_events": bool(hits.found) or bool(queries.latest_events(1)),
        "tabs": [
            {"url": reverse("traces"), "label": "Traces", "current": not query.uncorrelated, "count": None},
            {
                "url": f"{reverse('traces')}?loose=1",
                "label": "Without correlation",
                "current": query.uncorrelated,
                "count": None,
            },
        ],
    }


def _row(found: Found, show: Show) -> dict[str, object]:
    trace = found.trace
    if found.event_id:
        event = trace.steps[0].event
        excerpt = (show(event).data or "")[:EXCERPT] if event else ""
        return {"url": reverse("event", args=[found.event_id]), "event": event, "excerpt": excerpt}
    return {
        "url": reverse("trace", args=[trace.correlation_id]),
        "trace": trace,
        "story": found.story,
        "in_words": in_words(trace, found.story),
        "marks": miniature(trace),
    }


def place_of(correlation_id: str | None, event_id: str | None) -> str:
    """Where something that was found by its exact id is shown."""
    if correlation_id is None:
        return reverse("event", args=[event_id])
    url = reverse("trace", args=[correlation_id])
    if event_id is None:
        return url
    return f"{url}?{urlencode({'event': event_id})}"


def _key(cursor: str | None) -> Key | None:
    if not cursor:
        return None
    try:
        return decode_cursor(cursor, tuple[int, int])
    except BadCursor as error:
        raise Http404(str(error)) from error


def number_in(text: str | None) -> int:
    """A number of an address; 0 for what is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0
