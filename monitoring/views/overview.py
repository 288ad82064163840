"""The Overview: how everything stands, and what it was like over the chosen range."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from dlq import listing
from dlq.filter import Filter
from dlq.models import Status
from eventhub.pages import first_steps
from eventhub.pages.hues import hue_of
from eventhub.pages.ranges import LONG_PRESETS, TimeRange, time_range
from eventhub.traces.flow.hops import hop_times
from monitoring import changes, comparing
from monitoring.message import encode
from monitoring.rollups import reading
from monitoring.rollups.choosing import Choice
from monitoring.rollups.reading import OTHER
from monitoring.rollups.windows import Window, window_between
from monitoring.snapshot import SETTLED_AFTER_S, Snapshot, take
from monitoring.tiles import tiles
from monitoring.views.moments import ways
from monitoring.views.permissions import form_url

DEFAULT_RANGE = "15m"
MOST_TYPES = 10
MOST_ROWS = 6
FEWEST_STEPS = 24
# A chart that follows the clock asks anew for another day's figures when it has grown by so many steps.
STEPS_AHEAD = 120


class Chart(msgspec.Struct, frozen=True):
    """What the big chart draws: counts per step. Up to `until` (Unix seconds) they are complete.

    A hub younger than the range has fewer than `most_steps` yet: the chart begins with its first event and grows.
    """

    step_s: int
    most_steps: int
    start: int
    until: int
    live: bool
    types: list[reading.TypeSeries]
    failed: list[int]
    dead_letters: list[int]
    # The same time of another day as events a second, further on than the chart goes, for it to grow into.
    before: list[float | None] | None = None


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The page, or only what is refreshed by itself (htmx)."""
    now = timezone.now()
    chosen = time_range(request, DEFAULT_RANGE, now, LONG_PRESETS)
    if request.htmx and request.GET.get("part") == "details":  # type: ignore[attr-defined]
        context = _details(chosen, now) | {"is_refresh": True}
        return render(request, "monitoring/_overview_details.html", context)
    snapshot = take(now)
    if request.htmx and request.GET.get("part") == "sources":  # type: ignore[attr-defined]
        return render(
            request,
            "monitoring/_sources_now.html",
            {"snapshot": snapshot, "add_source_url": form_url(request, "add")},
        )
    if nothing_ever_arrived(snapshot):
        if first_steps.are_wanted(request):
            return redirect("first-steps")
        return render(request, "monitoring/overview_empty.html", {"snapshot": snapshot})
    chart = _chart(chosen, now, comparing.ago_of(request))
    context = {
        "range": chosen,
        "compare": comparing.segments(request),
        "ways": ways(),
        "snapshot": snapshot,
        "snapshot_json": _in_script(encode(snapshot)),
        "tiles": tiles(snapshot),
        "levels": ("ok", "busy", "broken", "unknown"),
        "add_source_url": form_url(request, "add"),
        "legend": [_legend(one, chart, snapshot) for one in chart.types],
        "chart_json": _in_script(msgspec.json.encode(chart).decode()),
        "chart_total": sum(sum(one.counts) for one in chart.types),
    }
    return render(request, "monitoring/overview.html", context | _details(chosen, now))


@require_safe
def overview_series(request: HttpRequest) -> HttpResponse:
    """The chart's data anew, for a page that was away."""
    now = timezone.now()
    chosen = time_range(request, DEFAULT_RANGE, now, LONG_PRESETS)
    chart = _chart(chosen, now, comparing.ago_of(request))
    return HttpResponse(msgspec.json.encode(chart), content_type="application/json")


def nothing_ever_arrived(snapshot: Snapshot) -> bool:
    """Whether this is a hub that still waits for its first message."""
    return (
        snapshot.last_event_at is None
        and not snapshot.dead_letters.open
        and not any(source.per_s for source in snapshot.sources)
    )


def _window(chosen: TimeRange) -> Window:
    return window_between(chosen.start, chosen.end, reading.coarsest_grain(chosen.start, chosen.end))


def _chart(chosen: TimeRange, now: datetime, ago: timedelta | None) -> Chart:
    window = _window(chosen)
    # What is newer comes with the snapshots: counted here too, it would count twice.
    settled = now.replace(microsecond=0) - timedelta(seconds=SETTLED_AFTER_S)
    series = reading.series(window, until=settled, most_types=MOST_TYPES)
    empty = 0 if chosen.is_custom else _empty_steps(series)
    start = window.start + timedelta(seconds=empty * window.step_s)
    return Chart(
        step_s=window.step_s,
        most_steps=len(series.times),
        start=int(start.timestamp()),
        until=int(min(settled, window.end).timestamp()),
        live=not chosen.is_custom,
        types=[reading.TypeSeries(one.name, one.counts[empty:]) for one in series.types],
        failed=series.failed[empty:],
        dead_letters=series.dead_letters[empty:],
        before=_before(Window(start, window.end, window.step_s), ago) if ago else None,
    )


def _before(window: Window, ago: timedelta) -> list[float | None]:
    longer = Window(window.start, window.end + STEPS_AHEAD * timedelta(seconds=window.step_s), window.step_s)
    return comparing.rates_before(longer, Choice(), ago)


def _empty_steps(series: reading.Series) -> int:
    """How many steps nothing happened in at the beginning, if nothing was recorded before them either."""
    busy = [*(one.counts for one in series.types), series.failed, series.dead_letters]
    first = next((i for i, step in enumerate(zip(*busy, strict=True)) if any(step)), 0)
    if not first or reading.has_any_before(datetime.fromtimestamp(series.times[0], UTC)):
        return 0
    return max(0, min(first - 1, len(series.times) - FEWEST_STEPS))


def _legend(one: reading.TypeSeries, chart: Chart, snapshot: Snapshot) -> dict[str, Any]:
    """A type's name, colour and rate: now, or over a range that has ended."""
    seconds = max(1, chart.until - chart.start)
    rate = snapshot.type_rates.get(one.name, 0.0) if chart.live else sum(one.counts) / seconds
    if chart.live and one.name == OTHER:
        shown = {other.name for other in chart.types}
        rate = sum(value for name, value in snapshot.type_rates.items() if name not in shown)
    return {"name": one.name, "hue": "" if one.name == OTHER else f"hue-{hue_of(one.name)}", "per_s": rate}


def _in_script(json_text: str) -> SafeString:
    """JSON text that can stand inside a script element, whatever is in it."""
    for character in "<>&":
        json_text = json_text.replace(character, f"\\u{ord(character):04x}")
    return mark_safe(json_text)  # noqa: S308 - nothing is left in it that could end the element


def _details(chosen: TimeRange, now: datetime) -> dict[str, Any]:
    window = _window(chosen)
    types = [t for t in reading.totals_by("event_type", window.start, window.end) if t.key]
    noisy = [t for t in types if t.totals.received and not t.key.startswith("eventhub.")][:MOST_ROWS]
    slow = sorted((t for t in types if t.p95_s is not None), key=lambda t: -(t.p95_s or 0))[:MOST_ROWS]
    hops = hop_times(window.start, window.end)[:MOST_ROWS]
    busiest = max((t.totals.received for t in noisy), default=0)
    slowest = max((t.p95_s or 0 for t in slow), default=0)
    seconds = min(window.seconds, max(1.0, (now - window.start).total_seconds()))
    return {
        "range": chosen,
        "details_range": chosen.label,
        "noisy": [
            {"type": t.key, "per_s": t.totals.received / seconds, "share": _share(t.totals.received, busiest)}
            for t in noisy
        ],
        "slow": [
            {"type": t.key, "p50_s": t.p50_s, "p95_s": t.p95_s, "share": _share(t.p95_s or 0, slowest)}
            for t in slow
        ],
        "hops": [{"hop": hop, "share": _share(hop.p95_s, hops[0].p95_s)} for hop in hops],
        "changes": changes.recent(now, MOST_ROWS),
        "groups": listing.groups(Filter(status=Status.OPEN), MOST_ROWS),
        "from_to": f"from={int(window.start.timestamp())}&to={int(window.end.timestamp())}",
    }


def _share(value: float, of: float) -> int:
    """Percent, for a bar's length."""
    return round(100 * value / of) if of else 0
