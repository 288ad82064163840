"""What is added each day, by source and type: events and bytes as rollups counted them, and what they take on disk."""

from datetime import UTC, datetime, timedelta

import msgspec
from django.db import connection

from eventhub.brokers.models import Source
from monitoring.storage import sizes
from monitoring.storage.forecast import Forecast, forecast
from monitoring.storage.sizes import Partition, Room, Table

DAYS = 14
ASK_EVERY = timedelta(minutes=1)
MOST_GROWERS = 30
# Tables that grow with the events; the others stay as they are.
GROWING = ("events_", "handlers_", "traces_", "dlq_", "sourcing_", "sagas_", "rollups_", "review_", "outbox_")


class Grower(msgspec.Struct, frozen=True):
    """What one type adds through one source, a day on average."""

    source: str
    event_type: str
    events: float
    payload_bytes: float
    disk_bytes: float


class Standing(msgspec.Struct, frozen=True):
    """Everything that the page shows."""

    database_bytes: int
    room: Room
    tables: list[Table]
    partitions: list[Partition]
    events: int
    # On disk, with indexes, deliveries, traces and whatever else comes of an event; None without events.
    bytes_per_event: float | None
    # Added on each of the last whole days, the oldest first.
    added: list[float]
    # Over how many days `growers` is the average; less than one where there is no whole day yet.
    days: float
    growers: list[Grower]
    forecast: Forecast

    @property
    def span(self) -> timedelta:
        """`days`, for people."""
        return timedelta(days=self.days)


def standing(now: datetime) -> Standing:
    """Measure. Reads sizes, statistics and hours of rollups; no event."""
    used = sizes.database_bytes()
    room, tables, partitions = sizes.room(used), sizes.tables(), sizes.partitions()
    events = sum(one.rows for one in partitions)
    growing = sum(table.size_bytes for table in tables if table.name.startswith(GROWING))
    per_event = growing / events if events else None
    counted, days = _counted(now)
    # An event's part of the disk is as large as its payload is among the payloads.
    payload = sum(row[3] for row in counted)
    stored = sum(row[2] for row in counted)
    on_disk = (per_event or 0.0) * stored / payload if payload else 0.0
    names = dict(Source.objects.values_list("pk", "name"))
    growers = [
        Grower(
            source=names.get(origin, "deleted source") if origin is not None else "own handlers",
            event_type=event_type or "not readable",
            events=count / days,
            payload_bytes=size / days,
            disk_bytes=size * on_disk / days,
        )
        for origin, event_type, count, size in counted
    ]
    growers.sort(key=lambda one: one.disk_bytes, reverse=True)
    added = [size * on_disk for size in _by_day(now)] or ([payload * on_disk / days] if payload else [])
    return Standing(
        database_bytes=used,
        room=room,
        tables=tables,
        partitions=partitions,
        events=events,
        bytes_per_event=per_event,
        added=added,
        days=days,
        growers=growers[:MOST_GROWERS],
        forecast=forecast(added, room.free_bytes),
    )


def lately(now: datetime) -> Standing:
    """As `standing`, at most a minute old: for who asks every few seconds."""
    if _Lately.standing is None or now - _Lately.at >= ASK_EVERY:
        _Lately.standing, _Lately.at = standing(now), now
    return _Lately.standing


def forget() -> None:
    """Measure anew at the next call of `lately`."""
    _Lately.standing = None


class _Lately:
    standing: Standing | None = None
    at = datetime.min.replace(tzinfo=UTC)


def _counted(now: datetime) -> tuple[list[tuple[int | None, str, int, int]], float]:
    """Events and bytes by source and type over the last days, and how many days these are."""
    since = now - timedelta(days=DAYS)
    with connection.cursor() as cursor:
        cursor.execute(  # rollup_bucket
            "SELECT origin_id, event_type, sum(received)::bigint, sum(size_bytes)::bigint, min(bucket)"
            " FROM rollups_rollup WHERE bucket >= %s AND bucket < %s GROUP BY 1, 2 HAVING sum(size_bytes) > 0",
            [since, now],
        )
        rows = cursor.fetchall()
    if not rows:
        return [], 1.0
    # A hub that is an hour old has not lived for two weeks.
    lived = (now - min(row[4] for row in rows)) / timedelta(days=1)
    return [row[:4] for row in rows], max(lived, 1 / 24)


def _by_day(now: datetime) -> list[int]:
    """Bytes of payload on each of the last whole days, from the first on which anything came."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(  # rollup_bucket
            "SELECT (%s::date - (bucket AT TIME ZONE 'UTC')::date) AS ago, sum(size_bytes)::bigint FROM rollups_rollup"
            " WHERE bucket >= %s AND bucket < %s GROUP BY 1",
            [today.date(), today - timedelta(days=DAYS), today],
        )
        found = {int(ago): int(size) for ago, size in cursor.fetchall() if size}
    return [found.get(ago, 0) for ago in range(max(found, default=0), 0, -1)]
