"""The same time of another day, beside what is looked at."""

from datetime import timedelta

from django.http import HttpRequest

from eventhub.pages.ranges import Choice as Segment
from monitoring.rollups import choosing, reading
from monitoring.rollups.choosing import Choice
from monitoring.rollups.windows import Window, window_between

DAYS = {"day": timedelta(days=1), "week": timedelta(days=7)}
WORDS = {"": ("Alone", "Nothing beside it"), "day": ("Yesterday", "The same time yesterday"),
         "week": ("Last week", "The same time a week ago")}  # fmt: skip


def ago_of(request: HttpRequest) -> timedelta | None:
    """How far back the request compares; None where it does not."""
    return DAYS.get(request.GET.get("compare", ""))


def segments(request: HttpRequest) -> list[Segment]:
    """The ways to compare, as links that keep everything else in the address."""
    chosen = request.GET.get("compare", "") if ago_of(request) else ""
    found = []
    for key, (label, title) in WORDS.items():
        query = request.GET.copy()
        query.pop("compare", None)
        if key:
            query["compare"] = key
        url = f"{request.path}?{query.urlencode()}" if query else request.path
        found.append(Segment(label=label, title=title, url=url, current=key == chosen))
    return found


def rates_before(
    window: Window, choice: Choice, ago: timedelta, *, system: bool = False
) -> list[float | None]:
    """Events a second of the same steps so long before; of that time only wider buckets may be left.

    None where nothing was recorded yet. `system` counts EventHub's own events too.
    """
    start, end = window.start - ago, window.end - ago
    if not reading.has_any_before(end):
        return [None] * len(window.times)
    then = window_between(
        start, end, max(window.step_s, reading.coarsest_grain(start - timedelta(hours=1), end))
    )
    received = choosing.counts(then, choice, system=system).received
    rates = {t: count / then.step_s for t, count in zip(then.times, received, strict=True)}
    shift_s = int(ago.total_seconds())
    return [rates.get((t - shift_s) // then.step_s * then.step_s) for t in window.times]
