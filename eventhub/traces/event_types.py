"""The Catalogue: what flows, how much of it, from whom, in which versions, and what died of it.

It shows rates and dead letters, so it stands above `monitoring.rollups` and `dlq`; the tables are `schemas`'.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode

import msgspec
from django.db import connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now as time_now

from dlq.models import DeadLetter, Status
from eventhub.access.models import Role
from eventhub.access.roles import may
from eventhub.events import queries
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import shown_to
from eventhub.handlers.registry import subscribers
from eventhub.pages.cursor import BadCursor, decode_cursor, encode_cursor
from eventhub.pages.filters import Field, filter_bar
from eventhub.pages.hues import entity
from eventhub.schemas.models import EventType, SchemaSettings, ValidationMode
from eventhub.traces.htmx import HtmxRequest

# Of each type so many of the latest events are looked at for the versions in use.
VERSION_SAMPLE = 60
MOST_TYPES = 500
MINUTES = 60
LATEST = 25


class TypeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event type with what is known of its traffic."""

    name: str
    entity: str
    description: str
    owner: str
    validation: str
    # "1 active", "2 draft" …
    schemas: list[str]
    versions: list[str]
    publishers: list[str]
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    # In the last minute; and events a minute over the last hour, the oldest first.
    per_s: float
    per_minute: list[int]
    open_dead_letters: int

    @property
    def last_hour(self) -> int:
        """Events in the last hour."""
        return sum(self.per_minute)

    @property
    def peak(self) -> int:
        """The busiest minute of the hour."""
        return max(self.per_minute, default=0)

    @property
    def spark(self) -> str:
        """The hour as the points of an SVG polyline, 60 wide and 20 high."""
        peak = max(self.peak, 1)
        return " ".join(f"{x},{round(19 - 17 * count / peak, 1)}" for x, count in enumerate(self.per_minute))


class Consumer(msgspec.Struct, frozen=True):
    """Who handles events of a type."""

    name: str
    # A handler of this hub: it has a page.
    is_handler: bool
    # In the last hour.
    handled: int
    failed: int


class Traffic(msgspec.Struct):
    """What the rollups know of one type over the last hour."""

    last_minute: int = 0
    per_minute: list[int] = msgspec.field(default_factory=lambda: [0] * MINUTES)
    publishers: dict[str, int] = msgspec.field(default_factory=dict)


def type_list(request: HtmxRequest) -> HttpResponse:
    """All types, grouped by entity."""
    now = time_now()
    bar = filter_bar(request, [Field(name="q", label="A type, an entity, a service…")])
    wanted = bar.values["q"].lower().split()
    rows = [row for row in type_rows(now) if all(word in _text(row) for word in wanted)]
    context = {
        "bar": bar,
        "groups": [
            {"entity": name, "rows": list(members)}
            for name, members in groupby(
                sorted(rows, key=lambda row: (row.entity, row.name)), lambda row: row.entity
            )
        ],
        "count": len(rows),
        "capped": len(rows) >= MOST_TYPES,
    }
    return render(
        request,
        "schemas/_event_types.html" if request.htmx.target == "list" else "schemas/event_types.html",
        context,
    )


def type_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One type: its latest events, versions, publishers and schemas."""
    event_type = get_object_or_404(EventType, name=name.replace("\x00", ""))
    before = _before(request.GET.get("after"))
    latest = queries.latest_of_type(event_type.name, LATEST + 1, before=before)
    more = latest[LATEST - 1] if len(latest) > LATEST else None
    latest = latest[:LATEST]
    context = {
        "type": event_type,
        "latest": latest,
        "next_url": f"{request.path}?after={encode_cursor(more.occurred_at.isoformat(), more.position)}"
        if more
        else "",
    }
    if before:
        return render(request, "schemas/_latest_events.html", context)
    row = type_rows(time_now(), only=event_type.name)[0]
    sample = next((event for event in latest if event.data is not None), None)
    context |= {
        "row": row,
        "letters_url": f"{reverse('dead-letters')}?{urlencode({'type': event_type.name})}",
        "sample": sample,
        "sample_data": shown_to(request)(sample).value if sample else None,
        "used": _versions_used(queries.latest_of_type(event_type.name, 500)),
        "schema_versions": list(event_type.versions.select_related("author").order_by("-number")),
        "may_edit": may(request, Role.EDITOR, team=event_type.owner),
        "mode": ValidationMode(row.validation).label,
        "consumers": consumers_of(event_type.name, time_now()),
    }
    return render(request, "schemas/event_type.html", context)


def type_rows(now: datetime, *, after: str = "", only: str = "", limit: int = MOST_TYPES) -> list[TypeRow]:
    """Types by name with their traffic; six statements, however many types there are."""
    types = EventType.objects.exclude(name__startswith="eventhub.").order_by("name")
    types = types.filter(name=only) if only else types.filter(name__gt=after)
    listed = list(types.prefetch_related("versions")[:limit])
    names = [event_type.name for event_type in listed]
    default = SchemaSettings.load().validation
    traffic, versions, dead = _traffic(names, now), _versions(names), _open_letters(names)
    return [
        TypeRow(
            name=event_type.name,
            entity=entity(event_type.name),
            description=event_type.description,
            owner=event_type.owner,
            validation=default if event_type.validation == ValidationMode.DEFAULT else event_type.validation,
            schemas=[f"{version.version} {version.status}" for version in event_type.versions.all()],
            versions=versions.get(event_type.name, []),
            publishers=_loudest(traffic[event_type.name].publishers),
            first_seen_at=event_type.first_seen_at,
            last_seen_at=event_type.last_seen_at,
            per_s=traffic[event_type.name].last_minute / 60,
            per_minute=traffic[event_type.name].per_minute,
            open_dead_letters=dead.get(event_type.name, 0),
        )
        for event_type in listed
    ]


def _traffic(names: Sequence[str], now: datetime) -> dict[str, Traffic]:
    start = now - timedelta(minutes=MINUTES)
    found: dict[str, Traffic] = defaultdict(Traffic)
    with connection.cursor() as cursor:
        # Index rollup_bucket; an hour of rollups is some thousand rows.
        cursor.execute(
            """SELECT event_type, service, floor(extract(epoch FROM bucket - %s) / 60)::int,
                      sum(received), sum(received) FILTER (WHERE bucket >= %s)
               FROM rollups_rollup
               WHERE bucket >= %s AND bucket <= %s AND event_type = ANY(%s) AND received > 0 GROUP BY 1, 2, 3""",
            [start, now - timedelta(seconds=60), start, now, list(names)],
        )
        for name, service, minute, received, lately in cursor:
            traffic = found[name]
            traffic.per_minute[min(max(minute, 0), MINUTES - 1)] += int(received)
            traffic.last_minute += int(lately or 0)
            if service:
                traffic.publishers[service] = traffic.publishers.get(service, 0) + int(received)
    return found


def consumers_of(name: str, now: datetime) -> list[Consumer]:
    """Who handles events of a type: handlers of this hub, and services that reported it in the last hour."""
    ours = {subscription.name for subscription in subscribers(name)}
    with connection.cursor() as cursor:
        # Index rollup_bucket; an hour of rollups is some thousand rows.
        cursor.execute(
            """SELECT service, sum(handled), sum(failed) FROM rollups_rollup
               WHERE bucket >= %s AND event_type = %s AND handled + failed > 0 GROUP BY 1""",
            [now - timedelta(minutes=MINUTES), name],
        )
        reported = {service: (int(handled), int(failed)) for service, handled, failed in cursor}
    return [
        Consumer(service, service in ours, *reported.get(service, (0, 0)))
        for service in sorted(ours | reported.keys())
    ]


def _versions(names: Sequence[str]) -> dict[str, list[str]]:
    """The versions among each type's latest events."""
    with connection.cursor() as cursor:
        # Index events_event_type, one short walk a type.
        cursor.execute(
            """SELECT wanted.name, array_agg(DISTINCT seen.event_version)
               FROM unnest(%s::text[]) AS wanted(name) CROSS JOIN LATERAL (
                   SELECT event_version FROM events_event
                   WHERE event_type = wanted.name ORDER BY occurred_at DESC LIMIT %s
               ) AS seen GROUP BY 1""",
            [list(names), VERSION_SAMPLE],
        )
        return {name: sorted(filter(None, versions), key=_natural) for name, versions in cursor}


def _open_letters(names: Sequence[str]) -> dict[str, int]:
    # Index dead_letter_status.
    rows = (
        DeadLetter.objects.filter(status=Status.OPEN, event_type__in=names)
        .order_by()
        .values_list("event_type")
        .annotate(letters=Count("id"))
    )
    return {name or "": letters for name, letters in rows}


def _versions_used(events: Iterable[StoredEvent]) -> list[dict[str, object]]:
    """Versions and publishers of the latest events, the most used first."""
    counts: dict[tuple[str, str], list[StoredEvent]] = defaultdict(list)
    for event in events:
        counts[event.event_version or "", event.source or ""].append(event)
    return [
        {"version": version, "service": service, "count": len(some), "last": some[0].occurred_at}
        for (version, service), some in sorted(counts.items(), key=lambda item: -len(item[1]))
    ]


def _loudest(publishers: dict[str, int]) -> list[str]:
    return sorted(publishers, key=lambda name: (-publishers[name], name))


def _natural(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdigit() and len(version) < 9 else (10**9, version)


def _text(row: TypeRow) -> str:
    return " ".join([row.name, row.owner, row.description, *row.publishers]).lower()


def _before(cursor: str | None) -> tuple[datetime, int] | None:
    if not cursor:
        return None
    try:
        return decode_cursor(cursor, tuple[datetime, int])
    except BadCursor:
        return None
