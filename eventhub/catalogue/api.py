"""Upcasts over the REST API: which there are, and what one would make of data or of stored events."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.errors import HttpError

from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.catalogue import upcasting
from eventhub.events.showing import shown_to
from eventhub.schemas.models import SchemaVersion
from eventhub.schemas.upcasting import code
from eventhub.schemas.upcasting.catalogue import CannotUpcast, apply, step_of
from eventhub.schemas.validation import compile_schema, explain

router = Router(tags=["upcasts"])


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


class UpcastOut(Schema):
    """How data of one version of a type becomes data of the next. A step of the code has no expression to show."""

    event_type: str
    version: str
    # The version whose data it takes; null where that has none, or there is no earlier one.
    since: str | None
    # ``catalogue`` (written beside the schema) or ``code`` (declared as a function).
    declared_in: str
    expression: str = ""
    defaults: dict[str, Any] = {}


class Upcasts(Schema):
    """Steps, in the order of their versions."""

    items: list[UpcastOut]


class TestIn(Schema):
    """What to try: an upcast (left out: the saved one) to a version, on `data` or, without, on the latest events."""

    event_type: str
    version: str
    upcast: dict[str, Any] | None = None
    data: Any = None


class TriedOut(Schema):
    """What the upcast makes of data; `failure` says why it makes nothing, `breaches` how that breaks the schema."""

    event_id: str | None
    data: Any
    failure: str
    breaches: list[str]


class Tried(Schema):
    """What came of trying."""

    items: list[TriedOut]


@router.get("/upcasts", auth=requires(Scope.READ), response=Upcasts, summary="List upcasts")
def list_upcasts(request: HttpRequest, event_type: str = "") -> dict[str, Any]:
    """Of one event type, or of all: those of published versions, and those that the code declares."""
    versions = SchemaVersion.objects.exclude(status="draft").select_related("event_type")
    if event_type:
        versions = versions.filter(event_type__name=event_type.replace("\x00", ""))
    found: list[dict[str, Any]] = []
    before: SchemaVersion | None = None
    for one in versions.order_by("event_type__name", "number"):
        is_same = before is not None and before.event_type_id == one.event_type_id
        if one.upcast is not None:
            step = step_of(one.version, one.upcast)
            found.append(
                {
                    "event_type": one.event_type.name,
                    "version": one.version,
                    "since": before.version if before and is_same else None,
                    "declared_in": "catalogue",
                    "expression": step.expression,
                    "defaults": step.defaults,
                }
            )
        before = one
    found += [
        {"event_type": name, "version": to, "since": since, "declared_in": "code"}
        for name, since, to in code.declared()
        if not event_type or name == event_type
    ]
    return {"items": found}


@router.post(
    "/upcasts/test",
    auth=requires(Scope.CONFIGURE),
    response={200: Tried, (404, 422): Problem},
    summary="Try an upcast",
)
def try_upcast(request: HttpRequest, body: TestIn) -> dict[str, Any]:
    """Nothing is saved. On events it is tried on the latest of the version before, as whoever asks may see them."""
    version = get_object_or_404(
        SchemaVersion.objects.select_related("event_type"),
        event_type__name=body.event_type.replace("\x00", ""),
        version=body.version.replace("\x00", ""),
    )
    written = version.upcast if body.upcast is None else body.upcast
    try:
        step = step_of(version.version, written)
    except ValueError as error:
        raise HttpError(422, str(error)) from error
    if body.data is None:
        tried = upcasting.try_on_events(version, written, shown_to(request))
        return {
            "items": [
                {
                    "event_id": one.event.event_id,
                    "data": one.made,
                    "failure": one.failure,
                    "breaches": list(one.breaches),
                }
                for one in tried
            ]
        }
    try:
        made, failure = apply([step], body.data), ""
    except CannotUpcast as error:
        made, failure = None, str(error)
    breaches: list[str] = []
    if not failure:
        try:
            breaches = explain(compile_schema(version.schema), made)
        except (ValueError, OverflowError, RecursionError) as error:
            breaches = [f"$: cannot be checked: {error}"]
    return {"items": [{"event_id": None, "data": made, "failure": failure, "breaches": breaches}]}
