"""The Storage page: what the events take, when the disk is full, and what retention would do about it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from eventhub.pages.formats import number, percent, size
from monitoring.storage import growing, keeping
from monitoring.storage.forecast import Forecast, in_days

MOST_PARTITIONS = 60
MOST_TABLES = 12
MOST_DAYS_ASKED = 36_500
# Fewer days than these want somebody's attention, or their hurry.
BUSY_DAYS, BROKEN_DAYS = 60.0, 14.0


@require_safe
def storage(request: HttpRequest) -> HttpResponse:
    """Everything on one page; `?days=` asks what another retention would drop."""
    now = timezone.now()
    standing = growing.standing(now)
    days = _asked(request.GET.get("days", ""))
    is_asked = days is not None
    plan = keeping.plan(standing.partitions, settings.EVENT_RETENTION_DAYS if days is None else days, now)
    context = {
        "standing": standing,
        "outlook": in_days(standing.forecast) if standing.added and standing.room.total_bytes else "",
        "outlook_state": _state(standing.forecast),
        "trend": _trend(standing.forecast),
        "used_share": _used(standing),
        "bars": _bars(standing.added),
        "plan": plan,
        "doomed": {one.name for one in plan.dropped},
        "is_asked": is_asked,
        "retention_days": settings.EVENT_RETENTION_DAYS,
        "choices": keeping.choices(standing, settings.EVENT_RETENTION_DAYS, now),
        "partitions": standing.partitions[:MOST_PARTITIONS],
        "more_partitions": max(0, len(standing.partitions) - MOST_PARTITIONS),
        "tables": standing.tables[:MOST_TABLES],
    }
    return render(request, "monitoring/storage.html", context)


def _asked(text: str) -> int | None:
    return min(int(text), MOST_DAYS_ASKED) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _state(told: Forecast) -> str:
    days = told.full_in_days
    if days is None:
        return "ok"
    return "broken" if days < BROKEN_DAYS else "busy" if days < BUSY_DAYS else "ok"


def _trend(told: Forecast) -> str:
    if not told.per_day_bytes:
        return "nothing was added yet"
    if not told.trend_bytes:
        return "steady"
    return f"{percent(told.trend_bytes / told.per_day_bytes)} more each day (+{size(told.trend_bytes)})"


def _used(standing: growing.Standing) -> str:
    room = standing.room
    if not room.total_bytes or room.free_bytes is None:
        return ""
    return f"{percent(1 - room.free_bytes / room.total_bytes)} of {size(room.total_bytes)} in use"


def _bars(added: list[float]) -> list[tuple[str, int]]:
    """Of each day what it is called, and its height in the chart in percent."""
    most = max(added, default=0.0)
    ago = range(len(added), 0, -1)
    return [
        (
            f"{size(value)} {'yesterday' if days == 1 else f'{number(days)} days ago'}",
            round(100 * value / most) if most else 0,
        )
        for days, value in zip(ago, added, strict=True)
    ]
