"""Schemas on their pages: written, judged while typing, drawn from traffic, held against it, exported."""

import json
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from eventhub.access import audit, roles
from eventhub.access.audit import actor_of
from eventhub.access.models import Role
from eventhub.catalogue import saving, upcasting
from eventhub.catalogue.exporting import asyncapi_document
from eventhub.catalogue.judging import Judged, judge_text, level_words
from eventhub.catalogue.sampling import MOST, sample
from eventhub.events.showing import shown_to
from eventhub.schemas.drift import discreet, drift
from eventhub.schemas.inference import Inferred, infer
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.showing import may_see
from eventhub.schemas.registry.store import published
from eventhub.schemas.textual import text_of

EMPTY = {"type": "object", "required": [], "properties": {}}


@require_GET
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """The editor: of a draft, of a new version after the last, or of what traffic looks like (``?from=traffic``)."""
    event_type = _type(request, name)
    events = sample(event_type.name, now())
    editing = _draft(event_type, request.GET.get("version"))
    inferred: Inferred | None = None
    if editing is not None:
        schema = editing.schema
    elif request.GET.get("from") == "traffic" and events:
        inferred = infer([event.data for event in events], fields.paths(event_type.name))
        schema = inferred.schema
    else:
        versions = published(event_type)
        schema = versions[-1].schema if versions else EMPTY
    text = text_of(schema)
    context = _context(request, event_type, judge_text(event_type, text, events, editing))
    context |= {
        "text": text,
        "editing": editing,
        "inferred": inferred,
        "version": editing.version if editing else _next(event_type),
        "modes": ValidationMode.choices,
        "level": level_words(event_type),
        "most": MOST,
    }
    return render(request, "catalogue/edit.html", context)


@require_POST
def check(request: HttpRequest, name: str) -> HttpResponse:
    """What is wrong with what was typed so far, and what it would break."""
    event_type = _type(request, name)
    return render(
        request, "catalogue/_check.html", _context(request, event_type, _judged(request, event_type))
    )


@require_POST
def save(request: HttpRequest, name: str) -> HttpResponse:
    """Keep it as a draft, or publish it."""
    event_type = _type(request, name)
    judged = _judged(request, event_type)
    try:
        saving.save(
            event_type,
            request.POST.get("version", ""),
            judged,
            actor_of(request),
            publish=request.POST.get("do") == "publish",
            in_spite=request.POST.get("in_spite") == "on",
            note=request.POST.get("note", ""),
            mode=request.POST.get("validation", ""),
            user=request.user,
        )
    except saving.NotSaved as refusal:
        context = _context(request, event_type, judged) | {"refusal": str(refusal)}
        return render(request, "catalogue/_check.html", context, status=422)
    return HttpResponseClientRedirect(reverse("event-type", args=[event_type.name]))


@require_http_methods(["GET", "POST"])
def upcast(request: HttpRequest, pk: int) -> HttpResponse:
    """How events of the version before become ones of this: tried on stored events while typing, and saved."""
    version = get_object_or_404(SchemaVersion.objects.select_related("event_type"), pk=pk)
    _require(request, version.event_type)
    text = request.POST.get("upcast", text_of(version.upcast) if version.upcast else "")
    context: dict[str, Any] = {"type": version.event_type, "version": version, "text": text}
    context["before"] = upcasting.before(version)
    try:
        written = upcasting.parse(text)
        context["tried"] = upcasting.try_on_events(version, written, shown_to(request))
    except ValueError as error:
        context["flaw"] = str(error)
        return render(
            request, "catalogue/_tried.html" if request.method == "POST" else "catalogue/upcast.html", context
        )
    if request.method == "GET":
        return render(request, "catalogue/upcast.html", context)
    if request.POST.get("do") != "save":
        return render(request, "catalogue/_tried.html", context)
    version.upcast = written
    version.save(update_fields=["upcast", "changed_at"])
    audit.record(actor_of(request), "save upcast", f"{version.event_type.name} v{version.version}")
    return HttpResponseClientRedirect(reverse("event-type", args=[version.event_type.name]))


@require_GET
def drift_report(request: HttpRequest, name: str) -> HttpResponse:
    """How far events and schema have moved apart."""
    event_type = get_object_or_404(EventType, name=name)
    versions = [one for one in published(event_type) if one.status == SchemaStatus.ACTIVE]
    chosen = next((one for one in versions if one.version == request.GET.get("version")), None)
    chosen = chosen or (versions[-1] if versions else None)
    events = sample(event_type.name, now())
    report = drift(chosen.schema, events) if chosen else None
    if report and _is_discreet(request, event_type):
        report = discreet(report)
    context = {
        "type": event_type,
        "version": chosen,
        "versions": versions,
        "drift": report,
        "most": MOST,
        "may_edit": roles.may(request, Role.EDITOR, team=event_type.owner),
    }
    return render(request, "catalogue/drift.html", context)


@require_GET
def asyncapi(request: HttpRequest) -> HttpResponse:
    """Every event type, or those of ``?type=``, as an AsyncAPI 3.0 document."""
    made = asyncapi_document(request.GET.getlist("type"))
    response = HttpResponse(json.dumps(made, indent=2, ensure_ascii=False), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="eventhub.asyncapi.json"'
    return response


def _type(request: HttpRequest, name: str) -> EventType:
    found = get_object_or_404(EventType, name=name.replace("\x00", ""))
    _require(request, found)
    return found


def _require(request: HttpRequest, event_type: EventType) -> None:
    roles.require(request, Role.EDITOR, team=event_type.owner)


def _is_discreet(request: HttpRequest, event_type: EventType) -> bool:
    """Whether values of the type's events must not be shown."""
    return not may_see(request) and event_type.personal_fields.exists()


def _draft(event_type: EventType, version: str | None) -> SchemaVersion | None:
    if not version:
        return None
    found = event_type.versions.filter(version=version, status=SchemaStatus.DRAFT).first()
    if found is None:
        raise Http404(f"{event_type.name} has no draft {version}.")
    return found


def _judged(request: HttpRequest, event_type: EventType) -> Judged:
    editing = event_type.versions.filter(version=request.POST.get("version", "")).first()
    return judge_text(event_type, request.POST.get("schema", ""), sample(event_type.name, now()), editing)


def _context(request: HttpRequest, event_type: EventType, judged: Judged) -> dict[str, Any]:
    if judged.impact and _is_discreet(request, event_type):
        judged = msgspec.structs.replace(judged, impact=discreet(judged.impact))
    return {"type": event_type, "judged": judged, "rows": judged.rows}


def _next(event_type: EventType) -> str:
    taken = event_type.versions.values_list("version", flat=True)
    return str(max((int(one) for one in taken if one.isdigit() and len(one) < 9), default=0) + 1)
