"""The Sources pages: what is tapped, how it stands, pause and resume."""

from datetime import timedelta
from typing import Any

import msgspec
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dlq.models import DeadLetter
from eventhub.access.audit import actor_of
from eventhub.access.models import Role
from eventhub.access.roles import reach, require
from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets import keeping
from eventhub.events.models import Event
from eventhub.pages.partials import is_partial
from eventhub.pages.ranges import LONG_PRESETS, TimeRange, time_range
from eventhub.pages.toasts import toast
from monitoring import comparing
from monitoring.control import set_limits, set_paused
from monitoring.lag.sources import reading as lag
from monitoring.rollups import reading
from monitoring.rollups.choosing import Choice
from monitoring.rollups.windows import window_between
from monitoring.snapshot import sources_now
from monitoring.sources import alive
from monitoring.trouble import trouble_of
from monitoring.views.moments import ways
from monitoring.views.permissions import form_url, may_operate

DEFAULT_RANGE = "1h"
SLOWED_WITHIN = timedelta(seconds=15)
MOST_LETTERS = 5
MOST_EVENTS = 8
EVENTS_LOOKED_AT = 2_000


class LimitsForm(forms.Form):
    """How fast a source is read at the most."""

    max_events_per_s = forms.IntegerField(min_value=1, max_value=2_000_000_000, required=False)
    max_bytes_per_s = forms.IntegerField(min_value=1, max_value=10**15, required=False)


@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    """All sources; as a partial, their rows."""
    template = "monitoring/_sources.html" if is_partial(request) else "monitoring/sources.html"
    return render(request, template, _all(request))


@require_safe
def source(request: HttpRequest, name: str) -> HttpResponse:
    """One source; as a partial, everything on it that changes."""
    found = get_object_or_404(Source, name=name)
    if found.kind == Kind.HANDLERS:  # nothing is read from it: it stands for the handlers' dead letters
        return redirect("handlers")
    template = "monitoring/_source.html" if is_partial(request) else "monitoring/source.html"
    return render(request, template, _about(request, found))


@require_POST
def pause_source(request: HttpRequest, name: str) -> HttpResponse:
    """Stop reading."""
    return _set_paused(request, name, True)


@require_POST
def resume_source(request: HttpRequest, name: str) -> HttpResponse:
    """Go on reading."""
    return _set_paused(request, name, False)


@require_POST
def limit_source(request: HttpRequest, name: str) -> HttpResponse:
    """Set how fast it is read at the most; what is empty is no limit."""
    require(request, Role.EDITOR, source=name)
    found = get_object_or_404(Source, name=name)
    form = LimitsForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        set_limits(found, given["max_events_per_s"], given["max_bytes_per_s"], actor_of(request))
        messages.success(request, f"The limits of {name} hold within a second.")
    else:
        messages.error(request, "A limit is a whole number of at least 1, or empty.")
    return redirect("source", name)


def _set_paused(request: HttpRequest, name: str, paused: bool) -> HttpResponse:
    require(request, Role.OPERATOR, source=name)
    found = get_object_or_404(Source, name=name)
    set_paused(found, paused, actor_of(request))
    said = f"{name} is paused: workers stop reading it within a second." if paused else f"{name} is resumed."
    if not is_partial(request):
        messages.success(request, said)
        return redirect("source", name)
    if request.GET.get("from") == "list":
        return toast(render(request, "monitoring/_sources.html", _all(request)), said)
    return toast(render(request, "monitoring/_source.html", _about(request, found)), said)


def _all(request: HttpRequest) -> dict[str, Any]:
    shown, own = sources_now(timezone.now()), reach(request, Role.OPERATOR)
    return {
        "sources": shown,
        "paused": set(Source.objects.filter(paused=True).values_list("name", flat=True)),
        "operated": {one.name for one in shown if own.covers(source=one.name)},
        "add_source_url": form_url(request, "add"),
    }


def _about(request: HttpRequest, found: Source) -> dict[str, Any]:
    now = timezone.now()
    chosen = time_range(request, DEFAULT_RANGE, now, LONG_PRESETS)
    topics = lag.latest_by_topic(found, now)
    statuses = list(found.statuses.order_by("worker"))
    return {
        "source": found,
        "standing": next(one for one in sources_now(now) if one.name == found.name),
        "is_polled": is_polled(found),
        "statuses": statuses,
        "trouble": trouble_of(found, statuses, now),
        "alive": {status.pk for status in alive(statuses, now)},
        "last_batch_at": max((s.last_batch_at for s in statuses if s.last_batch_at), default=None),
        "topics": [one for one in topics if one.is_own or one.messages != 0],
        "idle": [one for one in topics if not one.is_own and one.messages == 0],
        "range": chosen,
        "chart_json": _chart_json(found, chosen, comparing.ago_of(request)),
        "compare": comparing.segments(request),
        "ways": ways(source=found.name),
        "config": keeping.shown_config(found),
        "recent": recent_events(found),
        "events_looked_at": EVENTS_LOOKED_AT,
        "letters": DeadLetter.objects.filter(source=found)
        .select_related("group")
        .defer("body")[:MOST_LETTERS],
        "may_operate": may_operate(request, found.name),
        "slowed_at": max(
            (s.slowed_at for s in statuses if s.slowed_at and now - s.slowed_at < SLOWED_WITHIN), default=None
        ),
        "edit_url": form_url(request, "change", found.name),
    }


def recent_events(found: Source) -> list[Event]:
    """Its events among the newest of all, the newest first. Walks the log's index backwards, a bounded way."""
    sql = """
        SELECT * FROM (
            SELECT position, event_id, event_type, event_version, recorded_at, correlation_id, origin_id, origin_topic
            FROM events_event ORDER BY txid DESC, position DESC LIMIT %s) AS newest
        WHERE origin_id = %s AND event_type NOT LIKE 'eventhub.%%' LIMIT %s"""
    return list(Event.objects.raw(sql, [EVENTS_LOOKED_AT, found.pk, MOST_EVENTS]))


def _chart_json(found: Source, chosen: TimeRange, ago: timedelta | None) -> str:
    """Events in and messages waiting, per step, as the page's script draws them."""
    finest_s = lag.least_step_s(chosen.start, timezone.now())
    window = window_between(
        chosen.start, chosen.end, max(finest_s, reading.coarsest_grain(chosen.start, chosen.end))
    )
    series = reading.series(window, origin_id=found.pk, most_types=0, system=True)
    waiting, behind_s = lag.source_series(found, window.start, window.end, window.step_s)
    received = series.types[0].counts if series.types else [0] * len(series.times)
    until = min(timezone.now() - timedelta(seconds=2), window.end)
    return msgspec.json.encode(
        {
            "times": series.times,
            "step_s": window.step_s,
            "until": int(until.timestamp()),
            "received": received,
            "dead_letters": series.dead_letters,
            "waiting": waiting,
            "behind_s": behind_s,
            "before": comparing.rates_before(window, Choice(origin_id=found.pk), ago, system=True)
            if ago
            else None,
        }
    ).decode()
