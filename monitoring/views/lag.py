"""The Lag pages: every consumer group and queue on the brokers that are watched."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from eventhub.events.models import Event
from eventhub.pages.partials import is_partial
from eventhub.pages.ranges import LONG_PRESETS, time_range
from monitoring import comparing
from monitoring.lag import inside, thinning
from monitoring.lag.groups import reading
from monitoring.lag.groups.rules import Status
from monitoring.lag.models import WatchedGroup
from monitoring.rollups.windows import Window, ceil_to, floor_to, window_between
from monitoring.views.moments import ways

DEFAULT_RANGE = "1h"
# Groups beyond these are found by the filter.
MOST_ROWS = 300


@require_safe
def lag(request: HttpRequest) -> HttpResponse:
    """All groups; as a partial, their rows."""
    template = "monitoring/_lag.html" if is_partial(request) else "monitoring/lag.html"
    return render(request, template, _all(request))


@require_safe
def lag_group(request: HttpRequest, pk: int) -> HttpResponse:
    """One group; as a partial, everything on it that changes."""
    group = get_object_or_404(WatchedGroup.objects.select_related("broker"), pk=pk)
    template = "monitoring/_lag_group.html" if is_partial(request) else "monitoring/lag_group.html"
    return render(request, template, _about(request, group))


def _all(request: HttpRequest) -> dict[str, Any]:
    name, status = request.GET.get("q", "").strip(), request.GET.get("status", "")
    rows = reading.groups(name=name, status=status if status in set(Status) else "")
    return {
        "groups": rows[:MOST_ROWS],
        "more": max(0, len(rows) - MOST_ROWS),
        "brokers": reading.brokers(),
        "statuses": [one for one in Status if one is not Status.UNKNOWN] + [Status.UNKNOWN],
        "q": name,
        "status": status,
        "readers": [] if name or status else inside.readers(),
    }


def _about(request: HttpRequest, group: WatchedGroup) -> dict[str, Any]:
    now = timezone.now()
    chosen = time_range(request, DEFAULT_RANGE, now, LONG_PRESETS)
    window = window_between(chosen.start, chosen.end, thinning.grain_s(chosen.start, now))
    messages, seconds = reading.history(group, window.start, window.end, window.step_s)
    chart = {"times": window.times, "step_s": window.step_s, "messages": messages, "seconds": seconds}
    if (ago := comparing.ago_of(request)) is not None:
        chart["before"] = _before(group, window, ago, now)
    parts = sorted(
        group.parts, key=lambda part: (-(part["messages"] or 0), part["topic"], part["partition"] or 0)
    )
    most = max((part["messages"] or 0 for part in parts), default=0)
    return {
        "group": group,
        "row": reading.row(group, now),
        "is_old": now - group.looked_at > reading.FRESH_FOR,
        "range": chosen,
        "compare": comparing.segments(request),
        "ways": ways(),
        "chart_json": msgspec.json.encode(chart).decode(),
        "parts": [
            part
            | {
                "level": Status(part["status"]).level,
                "share": round(100 * (part["messages"] or 0) / most) if most else 0,
            }
            for part in parts[:MOST_ROWS]
        ],
        "more": max(0, len(parts) - MOST_ROWS),
        "oldest": oldest_known(group),
    }


def _before(group: WatchedGroup, window: Window, ago: timedelta, now: datetime) -> list[int | None]:
    """What waited in the same steps so long before; of that time only hours may be left."""
    start, end = window.start - ago, window.end - ago
    step_s = max(window.step_s, thinning.grain_s(start, now))
    start = floor_to(start, step_s)
    messages, _ = reading.history(group, start, ceil_to(end, step_s), step_s)
    first = start.timestamp() + ago.total_seconds()
    return [messages[int((t - first) // step_s)] for t in window.times]


def oldest_known(group: WatchedGroup) -> Event | None:
    """The event that the group would read next, where the hub has stored it: the one that waits longest."""
    waiting = [part for part in group.parts if part["messages"] and part["position"].isdigit()]
    if not waiting:
        return None
    worst = max(waiting, key=lambda part: (part["seconds"] or 0, part["messages"]))
    sql = """
        SELECT * FROM (
            SELECT position, event_id, event_type, event_version, occurred_at, recorded_at, correlation_id,
                origin_topic, origin_partition, origin_offset
            FROM events_event ORDER BY txid DESC, position DESC LIMIT 20000) AS newest
        WHERE origin_topic = %s AND origin_partition = %s AND origin_offset = %s LIMIT 1"""
    found = list(Event.objects.raw(sql, [worst["topic"], worst["partition"], worst["position"]]))
    return found[0] if found else None
