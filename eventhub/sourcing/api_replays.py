"""Replays to topics and projections over the REST API."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import ModelSchema, Router, Schema
from ninja.errors import HttpError

from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.sourcing import replaying
from eventhub.sourcing.api import Problem
from eventhub.sourcing.models import Replay
from eventhub.sourcing.replaying import BadReplay, Wanted

router = Router(tags=["replays"])


class ReplayIn(Schema):
    """Which events, and where to. `dry_run` counts and sends nothing. A topic needs the `source` of its broker."""

    target: Literal["topic", "projection"]
    name: str
    source: str = ""
    event_types: list[str] = []
    stream: str = ""
    category: str = ""
    correlation_id: str = ""
    service: str = ""
    since: datetime | None = None
    until: datetime | None = None
    per_s: float | None = None
    dry_run: bool = False


class ReplayOut(ModelSchema):
    """A replay and how far it has come."""

    class Meta:
        model = Replay
        exclude = ["txid", "position", "end_txid", "due_at"]


class ReplayAnswer(Schema):
    """What a dry run counted, with the first events; or the replay that was begun."""

    total: int
    examples: list[str] = []
    replay: ReplayOut | None = None


@router.post(
    "/replays",
    auth=requires(Scope.OPERATE),
    response={200: ReplayAnswer, (403, 422): Problem},
    summary="Replay events",
)
def start(request: HttpRequest, body: ReplayIn) -> dict[str, Any]:
    """Events that are stored now and fit, in the order of the log, marked with the header `eventhub-replay`."""
    fields: dict[str, Any] = {
        name: value.replace("\x00", "") if isinstance(value, str) else value
        for name, value in body.dict(exclude={"dry_run"}).items()
    }
    wanted = Wanted(**fields | {"since": _aware(body.since), "until": _aware(body.until)})
    try:
        if body.dry_run:
            plan = replaying.plan(wanted)
            return {"total": plan.total, "examples": [event.event_id for event in plan.examples]}
        replay = replaying.start(wanted, actor_of(request))
    except BadReplay as error:
        raise HttpError(422, str(error)) from error
    replay.refresh_from_db()
    return {"total": replay.total, "replay": replay}


@router.get("/replays", auth=requires(Scope.READ), response=list[ReplayOut], summary="The latest replays")
def list_replays(request: HttpRequest) -> list[Replay]:
    """The newest first."""
    return list(Replay.objects.all()[:100])


@router.post(
    "/replays/{int:pk}/cancel",
    auth=requires(Scope.OPERATE),
    response={200: ReplayOut, (403, 404): Problem},
    summary="Cancel a replay",
)
def cancel(request: HttpRequest, pk: int) -> Replay:
    """Send nothing more; what is out stays out."""
    try:
        return replaying.cancel(pk, actor_of(request))
    except Replay.DoesNotExist as error:
        raise HttpError(404, f"There is no replay {pk}.") from error


def _aware(at: datetime | None) -> datetime | None:
    return timezone.make_aware(at, timezone.get_default_timezone()) if at and at.tzinfo is None else at
