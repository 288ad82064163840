"""Which streams there are, by category; and one stream as its page shows it."""

from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.http import HttpRequest

from eventhub.events.queries import StoredEvent
from eventhub.events.showing import shown_to
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.showing import told_of
from eventhub.sourcing import aggregates, reading, time_travel
from eventhub.sourcing.errors import StreamTruncated
from eventhub.sourcing.models import Stream
from eventhub.sourcing.reading import Head
from eventhub.sourcing.time_travel import By, Change, State

PER_PAGE = 50
# Events shown around the chosen version.
AROUND = 60


class Listed(msgspec.Struct, frozen=True):
    """One stream of a list."""

    id: int
    name: str
    category: str
    version: int
    began_at: datetime
    last_at: datetime
    ended_at: datetime | None


class Look(msgspec.Struct, frozen=True):
    """A stream at a moment: the events around it, its state, and what changed with the last event or since another."""

    head: Head
    state: State
    # The version that the state is compared with.
    since: int
    changes: list[Change]
    events: list[StoredEvent]
    is_declared: bool
    # Why there is no state; "" where there is.
    problem: str = ""


def shown(request: HttpRequest, look: Look) -> Look:
    """What of a look whoever asks may see: personal data is masked in the events and in what came of them."""
    show = shown_to(request)
    told = shown_values(
        request, look.head.name, [look.state.value, *([one.before, one.after] for one in look.changes)]
    )
    changes = [
        msgspec.structs.replace(one, before=before, after=after)
        for one, (before, after) in zip(look.changes, told[1:], strict=True)
    ]
    return msgspec.structs.replace(
        look,
        state=msgspec.structs.replace(look.state, value=told[0]),
        changes=changes,
        events=[show(event) for event in look.events],
    )


def shown_values(request: HttpRequest, stream: str, value: Any) -> Any:
    """A value that came of the events of a stream, as whoever asks may see it."""
    if not fields.any_marked():
        return value
    return told_of(request, value, list(reading.read(stream, limit=time_travel.MOST_EVENTS)))


def streams(
    *, category: str = "", prefix: str = "", before: int | None = None, limit: int = PER_PAGE
) -> list[Listed]:
    """The streams that began last, the newest first, below the id `before`."""
    found = Stream.objects.filter(version__gt=0)
    if category:
        found = found.filter(category=category)  # stream_category
    if prefix:
        found = found.filter(name__startswith=prefix)
    if before is not None:
        found = found.filter(pk__lt=before)
    return [
        Listed(one.pk, one.name, one.category, one.version, one.began_at, one.last_at, one.ended_at)
        for one in found.order_by("-pk")[:limit]
    ]


def categories(most: int = 50) -> list[str]:
    """The categories that there are, found by skipping from one to the next in stream_category."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH RECURSIVE found AS (
                   (SELECT category FROM sourcing_stream ORDER BY category LIMIT 1)
                   UNION ALL
                   SELECT (SELECT category FROM sourcing_stream s WHERE s.category > found.category
                           ORDER BY category LIMIT 1) FROM found WHERE found.category IS NOT NULL
               ) SELECT category FROM found WHERE category IS NOT NULL LIMIT %s""",
            [most],
        )
        return [row[0] for row in cursor.fetchall()]


def look(
    name: str,
    *,
    version: int | None = None,
    at: datetime | None = None,
    by: By = "occurred",
    since: int | None = None,
) -> Look | None:
    """`name` at a version, or at a time; None where there is no such stream."""
    head = reading.head(name)
    if not head.exists:
        return None
    problem = ""
    try:
        state = (
            time_travel.at_time(name, at, by)
            if at is not None
            else time_travel.at_version(
                name, head.version if version is None else max(0, min(version, head.version))
            )
        )
        base = max(0, state.version - 1) if since is None else since
        changes = time_travel.diff(time_travel.at_version(name, base).value, state.value)
    except StreamTruncated as error:
        state, base, changes, problem = State(name, version or head.version, 0, None, ""), 0, [], str(error)
    first = max(0, state.version - AROUND // 2)
    events = list(reading.read(name, after=first, limit=AROUND))
    return Look(head, state, base, changes, events, aggregates.for_stream(name) is not None, problem)
