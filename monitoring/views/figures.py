"""The Figures page: throughput, failures and times of a type, service, source or broker, beside another day's."""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from eventhub.brokers.models import Kind, Source
from eventhub.pages.ranges import LONG_PRESETS, TimeRange, time_range
from eventhub.schemas.models import EventType
from eventhub.traces.flow.hops import HopTime, hop_series, hop_times
from monitoring import comparing
from monitoring.rollups import choosing, reading
from monitoring.rollups.choosing import Choice
from monitoring.rollups.windows import Window, window_between
from monitoring.views.moments import ways

DEFAULT_RANGE = "1h"
MOST_NAMES = 500
MOST_HOPS = 12


@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """The page."""
    chosen = time_range(request, DEFAULT_RANGE, timezone.now(), LONG_PRESETS)
    window = _window(chosen)
    services = reading.totals_by("service", window.start, window.end)
    context = {
        "range": chosen,
        "types": EventType.objects.order_by("name").values_list("name", flat=True)[:MOST_NAMES],
        "services": sorted({one.key for one in services if one.key}),
        "sources": Source.objects.exclude(kind=Kind.HANDLERS).order_by("name").values_list("name", flat=True),
        "type": request.GET.get("type", ""),
        "brokers": [(kind.value, kind.label) for kind in Kind if kind is not Kind.HANDLERS],
        "service": request.GET.get("service", ""),
        "source": request.GET.get("source", ""),
        "broker": request.GET.get("broker", ""),
        "has_hops": has_hops(request),
        "hops": _hops(request, window),
        "compare": comparing.segments(request),
        "ways": ways(
            event_type=request.GET.get("type", ""),
            service=request.GET.get("service", ""),
            source=request.GET.get("source", ""),
        ),
        "query": request.GET.urlencode(),
        "is_live": not chosen.is_custom,
    }
    return render(request, "monitoring/figures.html", context)


@require_safe
def figures_series(request: HttpRequest) -> HttpResponse:
    """What the page's charts draw, as JSON."""
    now = timezone.now()
    window = _window(time_range(request, DEFAULT_RANGE, now, LONG_PRESETS))
    choice = _choice(request)
    told = _series(window, choice) | {"until": min(now, window.end).timestamp()}
    if has_hops(request):
        told["hops"] = hop_series(window, to_type=choice.event_type, to_service=choice.service)
    if (ago := comparing.ago_of(request)) is not None:
        told["before"] = comparing.rates_before(window, choice, ago)
    return HttpResponse(msgspec.json.encode(told), content_type="application/json")


def _window(chosen: TimeRange) -> Window:
    return window_between(chosen.start, chosen.end, reading.coarsest_grain(chosen.start, chosen.end))


def _choice(request: HttpRequest) -> Choice:
    source = request.GET.get("source", "")
    # A source that is not there has no figures: 0 is nobody's number.
    origin = Source.objects.filter(name=source).values_list("pk", flat=True).first() or -1 if source else None
    get = request.GET.get
    return Choice(get("type", ""), get("service", ""), origin, get("broker", ""))


def has_hops(request: HttpRequest) -> bool:
    """Whether hops are told: they are learned by type and service, whichever way their events came."""
    return not request.GET.get("source") and not request.GET.get("broker")


def _hops(request: HttpRequest, window: Window) -> list[HopTime]:
    if not has_hops(request):
        return []
    get = request.GET.get
    return hop_times(window.start, window.end, to_type=get("type", ""), to_service=get("service", ""))[
        :MOST_HOPS
    ]


def _series(window: Window, choice: Choice) -> dict[str, Any]:
    return {
        "step_s": window.step_s,
        "times": window.times,
        "counts": choosing.counts(window, choice),
        "processing": choosing.quantiles(window, choice, "processing"),
        "arrival": choosing.quantiles(window, choice, "arrival"),
    }
