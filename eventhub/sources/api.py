"""Sources over the REST API, on the router that answers ``GET /api/sources`` (one path needs one router).

Secrets go in and never come out: an answer names those that are set.
"""

from typing import Any

from django.db.models import ProtectedError
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Status

from eventhub.access import audit
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.config import describe, example
from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.configs.fields import secret_names
from eventhub.brokers.failures import explain
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets import keeping
from eventhub.brokers.trying import Report, peek, try_connection
from eventhub.sources import permissions, saving
from eventhub.sources.api_forms import (
    ChangeIn,
    DraftIn,
    KindOut,
    Name,
    PreviewOut,
    Problem,
    ReportOut,
    SourceIn,
    SourceInFull,
)
from eventhub.sources.drafts import UNNAMED, Given, Wrong, draft
from eventhub.sources.preview import Reading, readings, shown
from monitoring.api import router

__all__ = ["router"]

MAX_PREVIEWED = 100
MAX_BODY_BYTES = 64 * 1024


@router.get(
    "/source-kinds",
    response=list[KindOut],
    auth=requires(Scope.READ),
    summary="What each kind of source needs",
    operation_id="list_source_kinds",
)
def kinds(request: HttpRequest) -> list[dict[str, Any]]:
    """The keys of each kind's config, with their meaning and an example."""
    return [
        {
            "kind": kind,
            "label": Kind(kind).label,
            "keys": [
                {"name": name, "meaning": meaning, "needed": needed, "secret": name in secret_names(struct)}
                for name, meaning, needed in describe(kind)
            ],
            "example": example(kind),
        }
        for kind, struct in CONFIGS.items()
    ]


@router.post(
    "/sources",
    response={201: SourceInFull, (403, 422): Problem},
    auth=requires(Scope.CONFIGURE),
    summary="Add a source",
    operation_id="add_source",
)
def add(request: HttpRequest, body: SourceIn, untested: bool = False) -> Status[Any]:
    """Test its connection and save it. With `untested=true` it is saved in any case."""
    permissions.require(request)
    return _save(request, Given(**body.dict()), None, untested, 201)


@router.get(
    "/sources/{name}",
    response={200: SourceInFull, 404: Problem},
    auth=requires(Scope.READ),
    summary="One source",
    operation_id="get_source",
)
def get(request: HttpRequest, name: Name) -> dict[str, Any]:
    """How it is configured; `GET /api/sources` tells how it stands."""
    return _in_full(_find(name))


@router.patch(
    "/sources/{name}",
    response={200: SourceInFull, (403, 404, 422): Problem},
    auth=requires(Scope.CONFIGURE, divided=True),
    summary="Change a source",
    operation_id="change_source",
)
def change(request: HttpRequest, name: Name, body: ChangeIn, untested: bool = False) -> Status[Any]:
    """Change what is given. A connection that changes is tested first."""
    permissions.require(request, name)
    source = _find(name)
    return _save(request, _changed(source, body), source, untested, 200)


@router.delete(
    "/sources/{name}",
    response={204: None, (403, 404, 409): Problem},
    auth=requires(Scope.CONFIGURE, divided=True),
    summary="Delete a source",
    operation_id="delete_source",
)
def delete(request: HttpRequest, name: Name) -> Status[Any]:
    """Delete it; its events stay. One with dead letters is not deleted: switch it off instead."""
    permissions.require(request, name)
    source = _find(name)
    try:
        source.delete()
    except ProtectedError:
        return Status(409, {"detail": f"{name} has dead letters and stays. Switch it off instead."})
    audit.record(audit.actor_of(request), "delete", f"source {name}")
    return Status(204, None)


@router.post(
    "/sources/{name}/test",
    response={200: ReportOut, (403, 404): Problem},
    auth=requires(Scope.OPERATE, divided=True),
    summary="Test a source's connection",
    operation_id="test_source",
)
def test(request: HttpRequest, name: Name) -> Report:
    """Ask its broker what waits; no message is read."""
    permissions.require_operator(request, name)
    return try_connection(_find(name))


@router.post(
    "/sources/{name}/preview",
    response={200: PreviewOut, (403, 404, 422, 502): Problem},
    auth=requires(Scope.OPERATE, divided=True),
    summary="Messages of a source as it reads them",
    operation_id="preview_source",
)
def preview(request: HttpRequest, name: Name, count: int = 10) -> Status[Any]:
    """The newest messages; none is taken from any reader."""
    permissions.require_operator(request, name)
    return _preview(request, _find(name), count)


@router.post(
    "/source-drafts/test",
    response={200: ReportOut, (403, 422): Problem},
    auth=requires(Scope.CONFIGURE, divided=True),
    summary="Test a connection that is not saved",
    operation_id="test_draft",
)
def test_draft(request: HttpRequest, body: DraftIn) -> Status[Any]:
    """Ask the broker what waits; no message is read."""
    permissions.require(request, body.like or "")
    try:
        return Status(200, try_connection(draft(*_drafted(body))))
    except Wrong as wrong:
        return _refused(wrong)


@router.post(
    "/source-drafts/preview",
    response={200: PreviewOut, (403, 422, 502): Problem},
    auth=requires(Scope.CONFIGURE, divided=True),
    summary="Messages as a source that is not saved would read them",
    operation_id="preview_draft",
)
def preview_draft(request: HttpRequest, body: DraftIn, count: int = 10) -> Status[Any]:
    """The newest messages; none is taken from any reader."""
    permissions.require(request, body.like or "")
    try:
        return _preview(request, draft(*_drafted(body)), count)
    except Wrong as wrong:
        return _refused(wrong)


def _save(
    request: HttpRequest, given: Given, original: Source | None, untested: bool, status: int
) -> Status[Any]:
    try:
        source = draft(given, original)
    except Wrong as wrong:
        return _refused(wrong)
    if not untested and saving.wants_a_test(original, source):
        report = try_connection(source)
        if not report.ok:
            detail = (
                f"Not saved: {report.problem}. {report.text} {report.advice} With untested=true it is saved."
            )
            return Status(422, {"detail": detail, "errors": {"connection": report.text}})
    saving.save(source, original, audit.actor_of(request))
    return Status(status, _in_full(source))


def _preview(request: HttpRequest, source: Source, count: int) -> Status[Any]:
    peeked = peek(source, max(1, min(count, MAX_PREVIEWED)))
    if failure := peeked.failure:
        return Status(502, {"detail": f"{failure.problem}: {failure.text} {failure.advice}"})
    try:
        found = readings(source, peeked.messages)
    except BrokerError as error:
        return Status(422, {"detail": explain(error).text})
    return Status(200, {"items": [_reading(shown(request, one)) for one in found]})


def _reading(one: Reading) -> dict[str, Any]:
    return {
        "number": one.number,
        "place": one.place,
        "verdict": one.verdict,
        "kind": one.kind,
        "reason": one.reason,
        "body": one.message.body[:MAX_BODY_BYTES].decode(errors="replace"),
        "event": one.event,
    }


def _drafted(body: DraftIn) -> tuple[Given, Source | None]:
    """What a draft describes, and the source that it begins with."""
    if body.like is None:
        return Given(name=UNNAMED, **body.dict(exclude={"like"})), None
    source = _find(body.like)
    given = Given(
        name=source.name,
        kind=body.kind,
        role=body.role,
        config=body.config,
        mapping=body.mapping,
        secrets=body.secrets,
    )
    return given, source


def _changed(source: Source, body: ChangeIn) -> Given:
    return Given(
        name=source.name if body.name is None else body.name,
        kind=source.kind,
        role=source.role if body.role is None else body.role,
        enabled=source.enabled if body.enabled is None else body.enabled,
        config=source.config if body.config is None else body.config,
        secrets=body.secrets,
        mapping=source.mapping if body.mapping is None else body.mapping,
    )


def _in_full(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "kind": source.kind,
        "role": source.role,
        "enabled": source.enabled,
        "paused": source.paused,
        "config": source.config,
        "secrets": keeping.names_of(source),
        "mapping": source.mapping,
        "created_at": source.created_at,
        "changed_at": source.changed_at,
    }


def _find(name: str) -> Source:
    return get_object_or_404(Source, name=name, kind__in=CONFIGS)


def _refused(wrong: Wrong) -> Status[Any]:
    return Status(422, {"detail": str(wrong), "errors": wrong.errors})
