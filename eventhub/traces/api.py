"""``GET /api/traces`` and ``GET /api/traces/ID``."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.events.api import EventOut, event_out
from eventhub.events.receipts import Receipt
from eventhub.events.showing import Show, shown_to
from eventhub.pages.cursor import decode_cursor, encode_cursor
from eventhub.schemas.personal.showing import blind
from eventhub.traces import attributes, language
from eventhub.traces.asking import meant, with_words
from eventhub.traces.assemble import Letter, State, Step, Trace
from eventhub.traces.event_types import TypeRow, type_rows
from eventhub.traces.loading import load_trace
from eventhub.traces.query import StateFilter, TraceQuery
from eventhub.traces.search import search
from eventhub.traces.story import Story, in_words, story_of

router = Router(tags=["traces"])


class TraceSummary(Schema):
    """A trace in a list. `state`: dead (a dead letter waits), failed, running, ok."""

    correlation_id: str
    story: str
    entity: str
    number: str
    state: State
    started_at: datetime
    ended_at: datetime
    recorded_at: datetime
    duration_s: float
    events: int
    services: list[str]
    dead_letters: int
    # More events are stored than were read.
    truncated: bool


class TracePage(Schema):
    """A page of traces, those with the latest activity first.

    `gave_up`: the search ended for the amount of work, after `scanned` events back to `searched_back_to`; go on with
    `next_cursor`.
    """

    items: list[TraceSummary]
    next_cursor: str | None
    scanned: int
    searched_back_to: datetime | None
    gave_up: bool


class DeliveryOut(Schema):
    """A service's report that it processed the event, or failed to."""

    service: str
    succeeded: bool
    duration_s: float | None
    attempt: int
    error_class: str
    error_message: str
    will_retry: bool | None
    at: datetime


class LetterOut(Schema):
    """A dead letter of the event."""

    id: int
    status: str
    failed_in: str
    error_class: str
    error_message: str
    attempts: int
    failed_at: datetime


class StepOut(Schema):
    """An event in its trace. `cause` is the event id of its cause where the trace holds it; `depth` counts causes.

    `event` is null where only a dead letter of it was kept.
    """

    event_id: str
    event_type: str
    service: str | None
    at: datetime
    depth: int
    cause: str | None
    # It names a cause that is not in this trace.
    orphan: bool
    # Its causes lead back to itself.
    circular: bool
    # It names no cause; `cause` is a guess.
    inferred: bool
    # Since its cause, in seconds; negative when the clocks disagree.
    hop_s: float | None
    failed: bool
    deliveries: list[DeliveryOut]
    dead_letters: list[LetterOut]
    event: EventOut | None


class TraceOut(TraceSummary):
    """A trace with its events as a tree: causes before effects, each once."""

    steps: list[StepOut]


@router.get("/traces", auth=requires(Scope.READ), response=TracePage, summary="Search for traces")
def list_traces(
    request: HttpRequest,
    q: str = "",
    state: StateFilter = "",
    event_type: str = "",
    service: str = "",
    min_s: float | None = None,
    max_s: float | None = None,
    since: Annotated[datetime | None, Query(description="Something of it happened at or after this.")] = None,
    until: Annotated[datetime | None, Query(description="Something of it happened before this.")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """`q` is the search language of the page: words that must all occur in the trace (ids, types, services, payloads),
    `order_id:8412` for a searchable attribute, `type:`, `-type:`, `service:`, `error`, `slow`, `duration>2s`,
    `since:24h`, `order.placed but not payment.authorized within 30s`.

    `state=trouble` finds failed ones and those with dead letters.
    """
    if "\x00" in q + event_type + service:
        raise HttpError(400, "q, event_type and service must not hold a NUL character.")
    now = datetime.now(UTC)
    asked = meant(language.read(q, attributes.names()))
    if asked.problems:
        raise HttpError(400, " ".join(asked.problems))
    chosen = TraceQuery(
        state=state,
        event_type=event_type,
        service=service,
        min_s=min_s,
        max_s=max_s,
        start=_aware(since),
        end=_aware(until),
    )
    query = with_words(chosen, asked, now)
    before = decode_cursor(cursor, tuple[int, int]) if cursor else None
    hits = search(query, now=now, limit=limit, before=before, blind=blind(request))
    return {
        "items": [_summary(found.trace, found.story) for found in hits.found],
        "next_cursor": encode_cursor(*hits.next_key) if hits.next_key else None,
        "scanned": hits.scanned,
        "searched_back_to": hits.reached_at,
        "gave_up": hits.gave_up,
    }


@router.get(
    "/traces/{path:correlation_id}",
    auth=requires(Scope.READ),
    response=TraceOut,
    summary="One trace with its events",
)
def get_trace(request: HttpRequest, correlation_id: str) -> HttpResponse:
    """Everything that happened under a correlation id; payloads over 8 kB are null: `/api/events` has them."""
    if "\x00" in correlation_id or (loaded := load_trace(correlation_id, datetime.now(UTC))) is None:
        raise HttpError(404, f"No event or dead letter has the correlation id {correlation_id[:200]!r}.")
    trace, show = loaded.trace, shown_to(request)
    out = {**_summary(trace, story_of(trace)), "steps": [_step(step, trace, show) for step in trace.steps]}
    # Encoded here: a trace of 20,000 events takes a second this way, and ten through the response's model.
    return HttpResponse(msgspec.json.encode(out), content_type="application/json")


class EventTypeOut(Schema):
    """An event type that was seen or declared."""

    name: str
    entity: str
    description: str
    owner: str
    versions: list[str]
    publishers: list[str]
    schemas: list[str]
    validation: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    per_s: float
    last_hour: int
    open_dead_letters: int


class EventTypes(Schema):
    """All event types by name."""

    items: list[EventTypeOut]
    next_cursor: str | None


@router.get(
    "/event-types", auth=requires(Scope.READ), response=EventTypes, summary="Event types seen or declared"
)
def list_event_types(
    request: HttpRequest, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> dict[str, Any]:
    """In the order of their names; `per_s` is the rate of the last minute."""
    (after,) = decode_cursor(cursor, tuple[str]) if cursor else ("",)
    rows = type_rows(datetime.now(UTC), after=after, limit=limit + 1)
    more = len(rows) > limit
    return {
        "items": [_type(row) for row in rows[:limit]],
        "next_cursor": encode_cursor(rows[limit - 1].name) if more else None,
    }


def _type(row: TypeRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in EventTypeOut.model_fields}


def _summary(trace: Trace, story: Story) -> dict[str, Any]:
    return {
        "correlation_id": trace.correlation_id,
        "story": in_words(trace, story),
        "entity": story.entity,
        "number": story.number,
        "state": trace.state,
        "started_at": trace.started_at,
        "ended_at": trace.ended_at,
        "recorded_at": trace.recorded_at,
        "duration_s": trace.duration_s,
        "events": len(trace.steps),
        "services": list(trace.services),
        "dead_letters": len(trace.letters),
        "truncated": trace.truncated,
    }


def _step(step: Step, trace: Trace, show: Show) -> dict[str, Any]:
    return {
        "event_id": step.event_id,
        "event_type": step.event_type,
        "service": step.service,
        "at": step.at,
        "depth": step.depth,
        "cause": trace.steps[step.cause].event_id if step.cause is not None else None,
        "orphan": step.orphan,
        "circular": step.circular,
        "inferred": step.inferred,
        "hop_s": step.hop_s,
        "failed": step.failed,
        "deliveries": [_delivery(one) for one in step.deliveries],
        "dead_letters": [_letter(one) for one in step.letters],
        "event": event_out(show(step.event)) if step.event else None,
    }


def _delivery(receipt: Receipt) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in DeliveryOut.model_fields}


def _letter(letter: Letter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in LetterOut.model_fields}


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
