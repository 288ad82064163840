"""Streams and projections over the REST API."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import shown_to
from eventhub.sourcing import appending, listing, reading, time_travel
from eventhub.sourcing.appending import ANY, New
from eventhub.sourcing.errors import AlreadyAppended, BadEvent, StreamEnded, StreamTruncated, WrongVersion
from eventhub.sourcing.projecting import figures, rebuilding

router = Router(tags=["streams"])
Limit = Annotated[int, Field(ge=1, le=1000)]


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


class StreamOut(Schema):
    """A stream and how far it has come."""

    id: int
    name: str
    category: str
    version: int
    began_at: datetime
    last_at: datetime
    ended_at: datetime | None


class Streams(Schema):
    """Streams, those that began last first. `next_cursor` is None at the end."""

    items: list[StreamOut]
    next_cursor: int | None


class EventOut(Schema):
    """An event of a stream, in the form of today (upcast)."""

    event_id: str
    event_type: str
    event_version: str | None
    stream_version: int | None
    occurred_at: datetime
    recorded_at: datetime
    data: Any
    metadata: Any


class Events(Schema):
    """Events of a stream."""

    items: list[EventOut]


class StateOut(Schema):
    """What a stream had come to; `aggregate` is "" where the code declares none for its category."""

    stream: str
    version: int
    events: int
    value: Any
    aggregate: str


class ChangeOut(Schema):
    """One difference between two states."""

    path: str
    before: Any
    after: Any
    kind: str


class Diff(Schema):
    """What is different between two versions."""

    changes: list[ChangeOut]


class EventIn(Schema):
    """An event to append."""

    event_type: str
    data: Any = None
    event_version: str | None = None
    event_id: str = ""
    occurred_at: datetime | None = None
    metadata: dict[str, Any] = {}


class AppendIn(Schema):
    """Events to append, all or none; `expected` is the version that the stream must be at, -1 for any."""

    events: list[EventIn]
    expected: int = ANY
    source: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


class AppendedOut(Schema):
    """What was appended."""

    stream: str
    version: int
    event_ids: list[str]
    positions: list[int]
    recorded_at: datetime


class Projections(Schema):
    """How all projections stand; `behind` counts what is not taken in, up to 10,000 a partition."""

    items: list[dict[str, Any]]


@router.get("/streams", auth=requires(Scope.READ), response=Streams, summary="List streams")
def list_streams(
    request: HttpRequest, category: str = "", name: str = "", cursor: int | None = None, limit: Limit = 50
) -> dict[str, Any]:
    """Those that began last first; `name` is the beginning of their names."""
    found = listing.streams(category=_text(category), prefix=_text(name), before=cursor, limit=limit)
    return {
        "items": [msgspec.structs.asdict(one) for one in found],
        "next_cursor": found[-1].id if len(found) == limit else None,
    }


@router.get(
    "/streams/{name}/events",
    auth=requires(Scope.READ),
    response={200: Events, 404: Problem},
    summary="Read a stream",
)
def read_stream(
    request: HttpRequest,
    name: str,
    after: int = 0,
    backwards: bool = False,
    before: int | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Forwards behind the version `after`, or backwards below the version `before`."""
    _exists(name)
    found = (
        reading.read_backwards(name, before=before, limit=limit)
        if backwards
        else reading.read(name, after=after, limit=limit)
    )
    show = shown_to(request)
    return {"items": [_event(show(event)) for event in found]}


@router.get(
    "/streams/{name}/state",
    auth=requires(Scope.READ),
    response={200: StateOut, (404, 409): Problem},
    summary="A stream's state at a version or time",
)
def get_state(
    request: HttpRequest,
    name: str,
    version: int | None = None,
    at: datetime | None = None,
    by: Literal["occurred", "recorded"] = "occurred",
) -> dict[str, Any]:
    """Now; or at `version`; or at the time `at`: of what had `occurred`, or of what was `recorded` by then."""
    _exists(name)
    try:
        found = time_travel.at_version(name, version) if at is None else time_travel.at_time(name, at, by)
    except StreamTruncated as error:
        raise HttpError(409, str(error)) from error
    return msgspec.structs.asdict(found) | {"value": listing.shown_values(request, name, found.value)}


@router.get(
    "/streams/{name}/diff",
    auth=requires(Scope.READ),
    response={200: Diff, (404, 409): Problem},
    summary="What changed between two versions",
)
def get_diff(
    request: HttpRequest, name: str, since: Annotated[int, Query(alias="from")], to: int | None = None
) -> dict[str, Any]:
    """From the version `from` to the version `to` (left out: now)."""
    _exists(name)
    try:
        before, after = time_travel.at_version(name, since), time_travel.at_version(name, to)
    except StreamTruncated as error:
        raise HttpError(409, str(error)) from error
    changes = [msgspec.structs.asdict(one) for one in time_travel.diff(before.value, after.value)]
    return {"changes": listing.shown_values(request, name, changes)}


@router.post(
    "/streams/{name}/events",
    auth=requires(Scope.INGEST),
    response={200: AppendedOut, (409, 422): Problem},
    summary="Append to a stream",
)
def append(request: HttpRequest, name: str, body: AppendIn) -> dict[str, Any]:
    """All events or none. 409 when the stream is at another version than `expected`: read it again, decide again."""
    try:
        done = appending.append(
            name,
            [New(**one.dict()) for one in body.events],
            expected=body.expected,
            source=body.source,
            correlation_id=body.correlation_id,
            causation_id=body.causation_id,
        )
    except (WrongVersion, StreamEnded, AlreadyAppended) as error:
        raise HttpError(409, str(error)) from error
    except BadEvent as error:
        raise HttpError(422, str(error)) from error
    return msgspec.structs.asdict(done)


@router.get("/projections", auth=requires(Scope.READ), response=Projections, summary="List projections")
def list_projections(request: HttpRequest) -> dict[str, Any]:
    """All of them, with their partitions' lag and what they are stopped at."""
    return {
        "items": [
            msgspec.to_builtins(one)
            | {"state": one.state, "behind": one.behind, "oldest_age_s": one.oldest_age_s}
            for one in figures.standings()
        ]
    }


@router.post(
    "/projections/{name}/{verb}",
    auth=requires(Scope.OPERATE),
    response={204: None, (403, 404, 409): Problem},
    summary="Pause, resume, skip, rebuild",
)
def change_projection(
    request: HttpRequest, name: str, verb: Literal["pause", "resume", "skip", "rebuild"]
) -> tuple[int, None]:
    """`skip` goes on behind the event that it is stopped at; `rebuild` fills a new table beside the live one."""
    try:
        rebuilding.change_state(name, verb, actor_of(request))
    except rebuilding.NoSuchProjection as error:
        raise HttpError(404, str(error)) from error
    except rebuilding.NotStopped as error:
        raise HttpError(409, str(error)) from error
    return 204, None


def _exists(name: str) -> None:
    if not reading.head(_text(name)).exists:
        raise HttpError(404, f"There is no stream {name!r}.")


def _event(event: StoredEvent) -> dict[str, Any]:
    return msgspec.structs.asdict(event) | {"data": event.value, "metadata": event.metadata_value}


def _text(value: str) -> str:
    return value.replace("\x00", "")
