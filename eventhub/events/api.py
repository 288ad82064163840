"""``GET /api/events``: stored events, one page at a time."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.events import queries
from eventhub.events.queries import LogKey, StoredEvent
from eventhub.events.showing import shown_to
from eventhub.events.versions import NoWay, in_version
from eventhub.pages.cursor import decode_cursor, encode_cursor

router = Router(tags=["events"])

MAX_EVENTS = 500


class Order(StrEnum):
    """`newest`: what was recorded last comes first. `oldest`: in log order, for following the log."""

    NEWEST = "newest"
    OLDEST = "oldest"


class Origin(Schema):
    """Where EventHub read the event: the Source's number and the broker's own place."""

    source_id: int | None
    topic: str | None
    partition: int | None
    offset: str | None
    key: str | None
    headers: dict[str, str] | list[list[str]] | None


class EventOut(Schema):
    """A stored event: its envelope, its payload, and where it lies."""

    event_id: str
    event_type: str
    event_version: str | None
    occurred_at: datetime
    recorded_at: datetime
    source: str | None
    correlation_id: str | None
    causation_id: str | None
    stream: str | None
    stream_version: int | None
    data: Any
    metadata: Any
    position: int
    origin: Origin
    # With `version`: the version that the event is stored in, where it is shown as another one.
    upcast_from: str | None = None
    # With `version`: why the event cannot be read in it, and is shown as it is stored.
    upcast_error: str | None = None


class EventPage(Schema):
    """A page of events. `next_cursor` is null at the end; with `order=oldest` it is where to go on later."""

    items: list[EventOut]
    next_cursor: str | None


@router.get(
    "/events",
    auth=requires(Scope.READ),
    response=EventPage,
    summary="Stored events, by id, by correlation, by type or in log order",
)
def list_events(
    request: HttpRequest,
    event_id: str | None = None,
    correlation_id: str | None = None,
    event_type: str | None = None,
    order: Order | None = None,
    version: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 50,
) -> dict[str, Any]:
    """Ask for one of `event_id`, `correlation_id` (in the order recorded) or `event_type`, or for all events.

    `order=oldest` follows the log, of all events or of one type: every event comes exactly once, none is missed,
    and the last page still has a `next_cursor` to ask again with later. With a type such a page may hold fewer
    events than `limit`, or none, and yet not be the last: go on while `next_cursor` changes.

    `version` (with `event_id` or `event_type`) shows events as that version of their type has them: older ones are
    upcast by the catalogue's steps. One that cannot be is shown as it is stored, with the reason.
    """
    given = [name for name, value in _asked(event_id, correlation_id, event_type) if value is not None]
    if len(given) > 1:
        raise HttpError(
            400, f"Ask for one of event_id, correlation_id and event_type, not for {' and '.join(given)}."
        )
    for name, value in _asked(event_id, correlation_id, event_type):
        if value is not None and (not value or "\x00" in value):
            raise HttpError(
                400, f"{name} must hold at least one character, and no NUL; leave it out to not filter by it."
            )
    if version is not None and not (event_id or event_type):
        raise HttpError(400, "version goes with event_id or event_type: each type has versions of its own.")
    if order and (event_id or correlation_id):
        raise HttpError(
            400, f"order goes with event_type or alone; by {given[0]} events come as they were recorded."
        )

    if event_id:
        return _page(request, queries.events_by_id(event_id, limit), None, version)
    if correlation_id:
        found = queries.correlation_in_log_order(correlation_id, limit + 1, after=_log_key(cursor))
        return _page(request, found[:limit], _cursor_of(found[limit - 1].key) if len(found) > limit else None)
    if order == Order.OLDEST:
        found, reached = queries.log_after(_log_key(cursor), limit, event_type=event_type)
        return _page(request, found, _cursor_of(reached) if reached else None, version)
    if event_type:
        before = decode_cursor(cursor, tuple[datetime, int]) if cursor else None
        found = queries.latest_of_type(event_type, limit + 1, before=before, whole=True)
        last = found[limit - 1] if len(found) > limit else None
        next_cursor = encode_cursor(last.occurred_at.isoformat(), last.position) if last else None
        return _page(request, found[:limit], next_cursor, version)
    found = queries.latest_events(limit + 1, before=_log_key(cursor), whole=True)
    return _page(request, found[:limit], _cursor_of(found[limit - 1].key) if len(found) > limit else None)


def event_out(event: StoredEvent) -> dict[str, Any]:
    """The event as the API shows it."""
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "event_version": event.event_version,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "source": event.source,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "stream": event.stream,
        "stream_version": event.stream_version,
        "data": event.value,
        "metadata": event.metadata_value,
        "position": event.position,
        "origin": {
            "source_id": event.origin_id,
            "topic": event.origin_topic,
            "partition": event.origin_partition,
            "offset": event.origin_offset,
            "key": event.message_key,
            "headers": event.headers_value,
        },
    }


def _asked(
    event_id: str | None, correlation_id: str | None, event_type: str | None
) -> list[tuple[str, str | None]]:
    return [("event_id", event_id), ("correlation_id", correlation_id), ("event_type", event_type)]


def _page(
    request: HttpRequest, events: list[StoredEvent], next_cursor: str | None, version: str | None = None
) -> dict[str, Any]:
    show = shown_to(request)
    # Masked first: a step may move what is masked to where no mask is.
    items = [
        event_out(show(event)) if version is None else _in_version(show(event), version) for event in events
    ]
    return {"items": items, "next_cursor": next_cursor}


def _in_version(event: StoredEvent, version: str) -> dict[str, Any]:
    try:
        upcast = in_version(event, version)
    except NoWay as error:
        return event_out(event) | {"upcast_error": str(error)}
    return event_out(upcast) | ({"upcast_from": event.event_version or ""} if upcast is not event else {})


def _log_key(cursor: str | None) -> LogKey | None:
    return LogKey(*decode_cursor(cursor, tuple[int, int])) if cursor else None


def _cursor_of(key: LogKey) -> str:
    return encode_cursor(key.txid, key.position)
