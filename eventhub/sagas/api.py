"""Sagas over the REST API."""

from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.sagas import control, looking, starting
from eventhub.sagas.models import Instance

router = Router(tags=["sagas"])


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


class Instances(Schema):
    """Instances, the newest first. `next_cursor` is None at the end."""

    items: list[dict[str, Any]]
    next_cursor: int | None


class StartIn(Schema):
    """What to start the saga about."""

    key: str
    data: dict[str, Any] = {}
    correlation_id: str | None = None


class ChangeIn(Schema):
    """Which step is meant; none for compensate."""

    step: str = ""


@router.get("/sagas", auth=requires(Scope.READ), response=Instances, summary="List saga instances")
def list_instances(
    request: HttpRequest,
    saga: str = "",
    state: str = "",
    key: str = "",
    cursor: int | None = None,
    limit: Annotated[int, Field(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """By saga, state (running, compensating, parked, completed, compensated) and key."""
    found = looking.instances(
        saga=_text(saga), state=_text(state), key=_text(key), before=cursor, limit=limit
    )
    return {
        "items": [msgspec.to_builtins(looking.shown(request, one)) for one in found],
        "next_cursor": found[-1].pk if len(found) == limit else None,
    }


@router.get(
    "/sagas/{int:pk}",
    auth=requires(Scope.READ),
    response={200: dict[str, Any], 404: Problem},
    summary="One instance",
)
def get_instance(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Its steps, in groups that run side by side, and what happened to it."""
    found = _find(pk)
    history = [
        {"at": one.at.isoformat(), "step": one.step, "what": one.what, "detail": one.detail}
        for one in looking.shown_history(request, found)
    ]
    told: dict[str, Any] = msgspec.to_builtins(looking.shown(request, found))
    return told | {"history": history}


@router.post(
    "/sagas/{name}",
    auth=requires(Scope.OPERATE),
    response={200: dict[str, Any], (403, 404): Problem},
    summary="Start an instance",
)
def start(request: HttpRequest, name: str, body: StartIn) -> dict[str, Any]:
    """One a key: what was started before is returned as it stands."""
    try:
        found = starting.start(name, body.key, body.data, correlation_id=body.correlation_id)
    except LookupError as error:
        raise HttpError(404, str(error)) from error
    found.refresh_from_db()
    told: dict[str, Any] = msgspec.to_builtins(looking.shown(request, found))
    return told


@router.post(
    "/sagas/{int:pk}/{verb}",
    auth=requires(Scope.OPERATE),
    response={200: dict[str, Any], (403, 404, 409): Problem},
    summary="Retry or skip a step, compensate",
)
def change(
    request: HttpRequest, pk: int, verb: Literal["retry", "skip", "compensate"], body: ChangeIn
) -> dict[str, Any]:
    """Stepping in; noted in the audit log."""
    _find(pk)
    try:
        if verb == "compensate":
            done = control.compensate(pk, actor_of(request))
        else:
            done = (control.retry_step if verb == "retry" else control.skip_step)(
                pk, body.step, actor_of(request)
            )
    except control.NotPossible as error:
        raise HttpError(409, str(error)) from error
    told: dict[str, Any] = msgspec.to_builtins(looking.shown(request, done))
    return told


def _find(pk: int) -> Instance:
    found = Instance.objects.filter(pk=pk).first()
    if found is None:
        raise HttpError(404, f"There is no instance {pk}.")
    return found


def _text(value: str) -> str:
    return value.replace("\x00", "")
