"""Handlers over the REST API."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from django.db import OperationalError
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from eventhub.access.audit import Actor, actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.handlers import control, figures, history, replaying
from eventhub.handlers.control import NoSuchHandler, NotStopped
from eventhub.handlers.models import Handler, Replay
from eventhub.handlers.replaying import Plan
from eventhub.handlers.selecting import BadSelection, Selection

router = Router(tags=["handlers"])
WhichOf = Literal["missed", "dead", "all"]


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


class WaitingOut(Schema):
    """What waits for a handler; counted up to 10,000."""

    due: int
    later: int
    in_hand: int
    due_since: datetime | None
    next_at: datetime | None


class HandlerOut(Schema):
    """A handler as it stands now. Rates are of the last minute, errors and durations of the last fifteen."""

    name: str
    description: str
    patterns: list[str]
    is_declared: bool
    enabled: bool
    paused: bool
    state: str
    level: str
    advice: str
    circuit: str
    opened_at: datetime | None
    opened_by: str
    probe_at: datetime | None
    per_s: float
    succeeded: int
    failed: int
    error_ratio: float | None
    p50_s: float | None
    p95_s: float | None
    waiting: WaitingOut


class Handlers(Schema):
    """All handlers by name."""

    items: list[HandlerOut]


class AttemptOut(Schema):
    """One attempt at one delivery."""

    ended_at: datetime
    event_id: str
    event_type: str
    number: int
    outcome: str
    will_retry: bool
    duration_s: float | None
    error_class: str
    error_message: str


class Attempts(Schema):
    """A handler's latest attempts, the newest first."""

    items: list[AttemptOut]


class ReplayIn(Schema):
    """Which events to deliver to the handler. `dry_run` counts and changes nothing."""

    dry_run: bool = False
    which: WhichOf = "missed"
    event_types: list[str] = []
    correlation_id: str = ""
    service: str = ""
    since: datetime | None = None
    until: datetime | None = None


class ExampleOut(Schema):
    """One event of a plan, and its delivery's state ("" where it has none)."""

    event_id: str
    event_type: str
    occurred_at: datetime
    state: str


class PlanOut(Schema):
    """What a replay would find, and how many deliveries it would write."""

    total: int
    missed: int
    waiting: int
    processed: int
    dead: int
    is_more: bool
    delivers: int
    examples: list[ExampleOut]


class ReplayOut(Schema):
    """A replay and how far it has come."""

    id: int
    handler: str
    which: str
    state: str
    event_types: list[str]
    correlation_id: str
    service: str
    since: datetime | None
    until: datetime
    looked_at: int
    delivered: int
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_handler(replay: Replay) -> str:
        """The handler's name."""
        return replay.handler.name


class ReplayAnswer(Schema):
    """The plan of a dry run, or the replay that was begun."""

    plan: PlanOut | None = None
    replay: ReplayOut | None = None


Limit = Annotated[int, Field(ge=1, le=500)]
DEEDS: dict[str, Callable[[str, Actor], Handler]] = {
    "pause": control.pause,
    "resume": control.resume,
    "disable": control.disable,
    "enable": control.enable,
    "try-again": control.try_again,
}


@router.get("/handlers", auth=requires(Scope.READ), response=Handlers, summary="List handlers")
def list_handlers(request: HttpRequest) -> dict[str, Any]:
    """All handlers: those that the code declares, and those that it once did."""
    return {"items": [_out(one) for one in figures.handlers_now(timezone.now())]}


@router.get(
    "/handlers/{name}",
    auth=requires(Scope.READ),
    response={200: HandlerOut, 404: Problem},
    summary="One handler",
)
def get_handler(request: HttpRequest, name: str) -> dict[str, Any]:
    """One handler as it stands now."""
    return _out(_now(name))


@router.get(
    "/handlers/{name}/attempts",
    auth=requires(Scope.READ),
    response={200: Attempts, 404: Problem},
    summary="A handler's latest attempts",
)
def list_attempts(request: HttpRequest, name: str, failed: bool = False, limit: Limit = 50) -> dict[str, Any]:
    """The newest first; with `failed` only those that did not succeed."""
    latest = history.latest_failures if failed else history.latest_attempts
    return {"items": [msgspec.structs.asdict(one) for one in latest(_now(name).id, limit)]}


@router.post(
    "/handlers/{name}/replay",
    auth=requires(Scope.OPERATE),
    response={200: ReplayAnswer, (403, 404, 422): Problem},
    summary="Replay events to a handler",
)
def replay(request: HttpRequest, name: str, body: ReplayIn) -> dict[str, Any]:
    """Deliver stored events to this handler and to nobody else.

    `which`: "missed" delivers what never was, "dead" also what ended as a dead letter, "all" also what it has processed
    already, once more.
    """
    selection = Selection(
        event_types=body.event_types,
        correlation_id=body.correlation_id.replace("\x00", ""),
        service=body.service.replace("\x00", ""),
        since=_aware(body.since),
        until=_aware(body.until),
    )
    try:
        if body.dry_run:
            return {"plan": _plan(replaying.plan(name, selection), body.which)}
        return {"replay": replaying.start(name, selection, body.which, actor_of(request))}
    except NoSuchHandler as error:
        raise HttpError(404, str(error)) from error
    except BadSelection as error:
        raise HttpError(422, str(error)) from error
    except OperationalError as error:
        seconds = replaying.PLAN_TIMEOUT_S
        raise HttpError(
            422, f"Counting took longer than {seconds} s. Narrow it down by time or type."
        ) from error


@router.post(
    "/handlers/{name}/{verb}",
    auth=requires(Scope.OPERATE),
    response={200: HandlerOut, (403, 404, 409): Problem},
    summary="Pause, resume, enable, disable, try again",
)
def change(
    request: HttpRequest, name: str, verb: Literal["pause", "resume", "enable", "disable", "try-again"]
) -> dict[str, Any]:
    """Paused: its deliveries wait. Disabled: new events are not delivered to it. Workers see it within a second."""
    try:
        DEEDS[verb](name, actor_of(request))
    except NoSuchHandler as error:
        raise HttpError(404, str(error)) from error
    except NotStopped as error:
        raise HttpError(409, str(error)) from error
    return _out(_now(name))


@router.get(
    "/handler-replays/{int:replay_id}",
    auth=requires(Scope.READ),
    response={200: ReplayOut, 404: Problem},
    summary="One replay",
)
def get_replay(request: HttpRequest, replay_id: int) -> Replay:
    """A replay and how far it has come."""
    found = Replay.objects.select_related("handler").filter(pk=replay_id).first()
    if found is None:
        raise HttpError(404, f"There is no replay {replay_id}.")
    return found


@router.post(
    "/handler-replays/{int:replay_id}/cancel",
    auth=requires(Scope.OPERATE),
    response={200: ReplayOut, (403, 404): Problem},
    summary="Cancel a replay",
)
def cancel_replay(request: HttpRequest, replay_id: int) -> Replay:
    """Add no more deliveries; those that were added stay."""
    try:
        return replaying.cancel(replay_id, actor_of(request))
    except Replay.DoesNotExist as error:
        raise HttpError(404, f"There is no replay {replay_id}.") from error


def _now(name: str) -> figures.HandlerNow:
    found = figures.handler_now(name, timezone.now())
    if found is None:
        raise HttpError(404, f"There is no handler {name!r}.")
    return found


def _out(now: figures.HandlerNow) -> dict[str, Any]:
    return msgspec.structs.asdict(now) | {
        "state": now.word,
        "patterns": list(now.patterns),
        "waiting": msgspec.structs.asdict(now.waiting),
    }


def _plan(plan: Plan, which: str) -> dict[str, Any]:
    return msgspec.structs.asdict(plan) | {
        "total": plan.total,
        "delivers": plan.delivers(which),
        "examples": [msgspec.structs.asdict(one) for one in plan.examples],
    }


def _aware(at: datetime | None) -> datetime | None:
    return timezone.make_aware(at, timezone.get_default_timezone()) if at and at.tzinfo is None else at
