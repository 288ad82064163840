"""What the Lag page shows: every group as it stands, the worst first, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from eventhub.pages.formats import duration, rate
from monitoring.lag.groups.forecast import Forecast, forecast
from monitoring.lag.groups.rules import ORDER, Status
from monitoring.lag.models import GroupMinute, WatchedBroker, WatchedGroup

# What was not looked at for so long says nothing about now.
FRESH_FOR = timedelta(seconds=60)
SPARK_MINUTES = 60


class Row(msgspec.Struct, frozen=True):
    """A group or queue for a list. None: nobody could tell."""

    pk: int
    name: str
    href: str
    broker: str
    kind: str
    topics: list[str]
    status: str
    level: str
    since: datetime
    messages: int | None
    seconds: float | None
    pending: int | None
    delayed: int | None
    consumers: int | None
    in_per_s: float | None
    out_per_s: float | None
    outlook: str
    spark: list[int | None]


def brokers() -> list[WatchedBroker]:
    """The brokers that are watched, with how the last look went."""
    return list(WatchedBroker.objects.order_by("kind", "name"))


def groups(now: datetime | None = None, name: str = "", status: str = "") -> list[Row]:
    """Every group that was seen a moment ago, those in trouble first, then by how far they are behind."""
    now = now or timezone.now()
    found = WatchedGroup.objects.filter(looked_at__gt=now - FRESH_FOR).select_related("broker").defer("parts")
    if name:
        found = found.filter(name__icontains=name)
    if status:
        found = found.filter(status=status)
    sparks = _sparks(now)
    rows = [row(one, now, sparks.get(one.pk)) for one in found]
    return sorted(
        rows, key=lambda one: (-_badness(one.status), -(one.seconds or 0), -(one.messages or 0), one.name)
    )


def row(group: WatchedGroup, now: datetime, spark: list[int | None] | None = None) -> Row:
    """One group for a list."""
    return Row(
        pk=group.pk,
        name=group.name,
        href=reverse("lag-group", args=[group.pk]),
        broker=group.broker.name,
        kind=group.broker.get_kind_display(),
        topics=group.topics,
        status=group.status,
        level=Status(group.status).level,
        since=group.since,
        messages=group.messages,
        seconds=group.seconds,
        pending=group.pending,
        delayed=group.delayed,
        consumers=group.consumers,
        in_per_s=group.in_per_s,
        out_per_s=group.out_per_s,
        outlook=in_words(forecast(group.messages, group.growth_per_s, group.capacity), now),
        spark=spark or [],
    )


def in_words(told: Forecast, now: datetime) -> str:
    """ "drained in 12 min", "growing by 40/s, full by 14:20"; empty where nothing can be said."""
    match told.kind:
        case "drains" if told.in_s is not None:
            return f"drained in {duration(told.in_s)}"
        case "drains":
            return "shrinking slowly"
        case "fills":
            full = (now + timedelta(seconds=told.in_s or 0)).astimezone(UTC)
            when = f"{full:%H:%M} UTC" if full - now < timedelta(hours=20) else f"{full:%F %H:%M} UTC"
            return f"growing by {rate(told.per_s)}, full by {when}"
        case "grows":
            return f"growing by {rate(told.per_s)}"
        case "steady":
            return "steady"
    return ""


def history(
    group: WatchedGroup, start: datetime, end: datetime, step_s: int
) -> tuple[list[int | None], list[float | None]]:
    """The most messages that waited, and the longest wait in seconds, in each step; None where unknown."""
    found: dict[int, tuple[int | None, float | None]] = {}
    minutes = GroupMinute.objects.filter(group=group, minute__gte=start, minute__lt=end)
    for minute, messages, seconds in minutes.values_list("minute", "messages", "seconds"):
        step = int((minute - start).total_seconds() // step_s)
        before = found.get(step, (None, None))
        found[step] = _most(before[0], messages), _most(before[1], seconds)
    steps = range(int((end - start).total_seconds()) // step_s)
    return [found.get(n, (None, None))[0] for n in steps], [found.get(n, (None, None))[1] for n in steps]


def _most(a: Any, b: Any) -> Any:
    return max((value for value in (a, b) if value is not None), default=None)


def _badness(status: str) -> int:
    return {"broken": 3, "busy": 2, "unknown": 1}.get(Status(status).level, 0) * 10 + ORDER.index(
        Status(status)
    )


def _sparks(now: datetime) -> dict[int, list[int | None]]:
    """What waited for each group in each minute of the last hour; one question for all."""
    start = now.replace(second=0, microsecond=0) - timedelta(minutes=SPARK_MINUTES - 1)
    found: dict[int, list[int | None]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT group_id, (extract(epoch FROM minute - %s) / 60)::int, messages
               FROM monitoring_groupminute WHERE minute >= %s""",
            [start, start],
        )
        for group, minute, messages in cursor.fetchall():
            spark = found.setdefault(group, [None] * SPARK_MINUTES)
            if 0 <= minute < SPARK_MINUTES:
                spark[minute] = messages
    return found
