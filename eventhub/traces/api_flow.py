"""``/api/flow``, ``/api/processes``, ``/api/attributes`` and what is told of two traces or of one for other tools."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from ninja.errors import HttpError

from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.events.showing import shown_to
from eventhub.traces import exporting, tabs
from eventhub.traces.assemble import Step, Trace
from eventhub.traces.comparing import compare
from eventhub.traces.flow.map import blast_radius, focused, read
from eventhub.traces.loading import load_trace
from eventhub.traces.models import Instance, InstanceState, Process, SearchableAttribute
from eventhub.traces.processes import figures
from eventhub.traces.processes.proposing import propose
from eventhub.traces.processes.views import instances

router = Router(tags=["flow and processes"])


class LinkOut(Schema):
    """An event type on its way from its publisher to a consumer ("": nobody that tells)."""

    publisher: str
    event_type: str
    consumer: str
    count: int
    per_s: float
    failed_share: float | None
    p50_s: float | None
    p95_s: float | None
    state: str


class FlowOut(Schema):
    """The flow over a range."""

    start: datetime
    end: datetime
    services: list[str]
    links: list[LinkOut]


class HitOut(Schema):
    """A process that stops, and where."""

    process_id: int
    name: str
    stops_at: str


class BlastOut(Schema):
    """What stops when a service stops."""

    types: list[str]
    caused: list[str]
    services: list[str]
    processes: list[HitOut]


class ProcessOut(Schema):
    """A named process and how many instances stand how."""

    id: int
    name: str
    start_type: str
    deadline_s: float | None
    enabled: bool
    counts: dict[str, int]


class InstanceOut(Schema):
    """An instance of a process. `missing_type` is the event that should have come."""

    correlation_id: str
    subject: str
    state: str
    started_at: datetime | None
    last_at: datetime | None
    duration_s: float | None
    events: int
    missing_type: str
    missing_after: str
    stuck_since: datetime | None
    undone: list[str]
    slow_hops: list[Any]


class InstancePage(Schema):
    """A page of instances, the latest first."""

    items: list[InstanceOut]
    next_cursor: str | None


class VariantOut(Schema):
    """A way that traces took: [depth, event type, times] in causal order."""

    path: list[Any]
    count: int
    failed: int
    failed_at: dict[str, int]
    p50_s: float | None
    p99_s: float | None
    example: str


class StepSuggested(Schema):
    """A step that the variants suggest."""

    event_type: str
    role: str
    after: str
    undoes: str


class MinedOut(Schema):
    """What was mined of traces that begin with a type, and the process it suggests."""

    start_type: str
    variants: list[VariantOut]
    suggested: list[StepSuggested]
    suggested_deadline_s: float | None


class PairOut(Schema):
    """A row of a comparison: event ids of the same station in both, or of one only."""

    event_type: str
    left: str | None
    right: str | None
    later_s: float | None


class ComparisonOut(Schema):
    """Two traces aligned; `parted_after` is null where both took the same way."""

    parted_after: str | None
    left_went: str | None
    right_went: str | None
    rows: list[PairOut]


class AttributeOut(Schema):
    """A searchable attribute, and how far older events are filled (0…1)."""

    name: str
    event_type: str
    path: str
    progress: float


@router.get("/flow", auth=requires(Scope.READ), response=FlowOut, summary="The flow map over a range")
def get_flow(
    request: HttpRequest, start: datetime | None = None, end: datetime | None = None, focus: str = ""
) -> dict[str, Any]:
    """The last hour where no range is given; `focus` is a service or an event type."""
    until = _aware(end) or datetime.now(UTC)
    since = _aware(start) or until - timedelta(hours=1)
    if since >= until:
        raise HttpError(400, "start must be before end.")
    flow = read(since, until)
    flow = focused(flow, focus) if focus else flow
    links = [{name: getattr(link, name) for name in LinkOut.model_fields} for link in flow.links]
    return {"start": since, "end": until, "services": [box.name for box in flow.boxes], "links": links}


@router.get(
    "/flow/blast", auth=requires(Scope.READ), response=BlastOut, summary="What stops when a service stops"
)
def get_blast(request: HttpRequest, service: str) -> dict[str, Any]:
    """By the flow of the last day."""
    now = datetime.now(UTC)
    processes = list(Process.objects.filter(enabled=True).prefetch_related("steps"))
    blast = blast_radius(read(now - timedelta(days=1), now), service, processes)
    hits = [
        {"process_id": hit.process_id, "name": hit.name, "stops_at": hit.stops_at} for hit in blast.processes
    ]
    return {"types": blast.types, "caused": blast.caused, "services": blast.services, "processes": hits}


@router.get("/processes", auth=requires(Scope.READ), response=list[ProcessOut], summary="Named processes")
def list_processes(request: HttpRequest) -> list[dict[str, Any]]:
    """Those with stuck instances first."""
    return [
        {
            "id": row.process.pk,
            "name": row.process.name,
            "start_type": row.process.start_type,
            "deadline_s": row.process.deadline_s,
            "enabled": row.process.enabled,
            "counts": row.counts,
        }
        for row in figures.process_rows()
    ]


@router.get(
    "/processes/{pk}/instances",
    auth=requires(Scope.READ),
    response=InstancePage,
    summary="Instances of a process",
)
def list_instances(
    request: HttpRequest,
    pk: int,
    state: str = "",
    missing: str = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """`state`: running, completed, compensating, compensated or stuck; `missing`: the event type they wait for."""
    process = get_object_or_404(Process, pk=pk)
    if state and state not in InstanceState.values:
        raise HttpError(400, f"There is no state {state!r}: {', '.join(InstanceState.values)}.")
    rows, following = instances(process, state, missing, cursor, limit)
    return {"items": [_instance(row) for row in rows], "next_cursor": following or None}


@router.get(
    "/processes/mined/{path:start_type}",
    auth=requires(Scope.READ),
    response=MinedOut,
    summary="Mined variants",
)
def get_mined(request: HttpRequest, start_type: str) -> dict[str, Any]:
    """How often each way was taken, how long it took, where it failed."""
    proposal = propose(start_type)
    return {
        "start_type": start_type,
        "variants": [
            {
                "path": row.variant.path,
                "count": row.variant.count,
                "failed": row.variant.failed,
                "failed_at": row.variant.failed_at,
                "p50_s": row.p50_s,
                "p99_s": row.p99_s,
                "example": row.variant.example,
            }
            for row in figures.variant_rows(start_type)
        ],
        "suggested": [
            {"event_type": step.event_type, "role": step.role, "after": step.after, "undoes": step.undoes}
            for step in proposal.steps
        ],
        "suggested_deadline_s": proposal.deadline_s,
    }


@router.get("/compare", auth=requires(Scope.READ), response=ComparisonOut, summary="Compare two traces")
def compare_traces(request: HttpRequest, left: str, right: str) -> dict[str, Any]:
    """Aligned by what happened, with the point where they first part."""
    comparison = compare(_trace(left), _trace(right))
    parted = comparison.divergence
    return {
        "parted_after": parted.after if parted else None,
        "left_went": _type(parted.left) if parted else None,
        "right_went": _type(parted.right) if parted else None,
        "rows": [
            {
                "event_type": _type(pair.left or pair.right) or "",
                "left": pair.left.event_id if pair.left else None,
                "right": pair.right.event_id if pair.right else None,
                "later_s": pair.later_s,
            }
            for pair in comparison.rows
        ],
    }


@router.get("/export", auth=requires(Scope.READ), summary="A trace as JSON, OTLP JSON or Mermaid")
def export_trace(request: HttpRequest, correlation_id: str, form: str = "json") -> HttpResponse:
    """`form`: json (native envelopes), otlp (OpenTelemetry), mermaid (a sequence diagram)."""
    if form not in exporting.FORMATS:
        raise HttpError(400, f"There is no form {form!r}: {', '.join(exporting.FORMATS)}.")
    kind = "text/plain; charset=utf-8" if form == "mermaid" else "application/json"
    return HttpResponse(tabs.exported(_trace(correlation_id), form, shown_to(request)), content_type=kind)


@router.get(
    "/attributes", auth=requires(Scope.READ), response=list[AttributeOut], summary="Searchable attributes"
)
def list_attributes(request: HttpRequest) -> list[dict[str, Any]]:
    """What traces can be searched by: `q=order_id:8412`."""
    rows = SearchableAttribute.objects.select_related("event_type")
    return [
        {"name": row.name, "event_type": row.event_type.name, "path": row.path, "progress": row.progress}
        for row in rows
    ]


def _trace(correlation_id: str) -> Trace:
    loaded = None if "\x00" in correlation_id else load_trace(correlation_id, datetime.now(UTC))
    if loaded is None:
        raise HttpError(404, f"No event or dead letter has the correlation id {correlation_id[:200]!r}.")
    return loaded.trace


def _type(step: Step | None) -> str | None:
    return step.event_type if step else None


def _instance(row: Instance) -> dict[str, Any]:
    return {name: getattr(row, name) for name in InstanceOut.model_fields}


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
