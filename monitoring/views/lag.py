"""The Lag pages: every consumer group and queue on the brokers that are watched."""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from eventhub.events.models import Event
from eventhub.pages.ranges import time_range
from monitoring.rollups.windows import window_between
from monitoring.watch import reading
from monitoring.watch.models import WatchedGroup
from monitoring.watch.rules import Status

DEFAULT_RANGE = "1h"
# Groups beyond these are found by the filter.
MOST_ROWS = 300


@require_safe
def lag(request: HttpRequest) -> HttpResponse:
    """All groups; as a partial, their rows."""
    template = "monitoring/_lag.html" if _is_partial(request) else "monitoring/lag.html"
    return render(request, template, _all(request))


@require_safe
def lag_group(request: HttpRequest, pk: int) -> HttpResponse:
    """One group; as a partial, everything on it that changes."""
    group = get_object_or_404(WatchedGroup.objects.select_related("broker"), pk=pk)
    template = "monitoring/_lag_group.html" if _is_partial(request) else "monitoring/lag_group.html"
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
    }


def _about(request: HttpRequest, group: WatchedGroup) -> dict[str, Any]:
    now = timezone.now()
    chosen = time_range(request, DEFAULT_RANGE, now)
    window = window_between(chosen.start, chosen.end, 60)
    messages, seconds = reading.history(group, window.start, window.end, window.step_s)
    chart = {"times": window.times, "messages": messages, "seconds": seconds}
    parts = sorted(
        group.parts, key=lambda part: (-(part["messages"] or 0), part["topic"], part["partition"] or 0)
    )
    most = max((part["messages"] or 0 for part in parts), default=0)
    return {
        "group": group,
        "row": reading.row(group, now),
        "is_old": now - group.looked_at > reading.FRESH_FOR,
        "range": chosen,
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


def _is_partial(request: HttpRequest) -> bool:
    return bool(request.htmx) and not request.htmx.boosted  # type: ignore[attr-defined]
