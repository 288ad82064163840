"""The REST API of sources and metrics."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Field, Path, Router, Schema

from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Role, Scope
from eventhub.access.roles import require
from eventhub.brokers.models import Source
from monitoring import snapshot
from monitoring.control import set_paused

router = Router(tags=["monitoring"])

Name = Annotated[str, Path(description="The source's name.")]


class SourceOut(Schema):
    """How one source stands."""

    name: str
    kind: str = Field(description="Redis Streams, PostgreSQL outbox, HTTP API.")
    state: str = Field(
        description="running, paused, failing, starting, stopped, no worker, listening (HTTP) or off."
    )
    level: str = Field(description="ok, busy, broken or unknown.")
    workers: int = Field(description="Workers that run it and gave a sign of life in the last 10 s.")
    per_s: float = Field(description="Messages taken in a second, over the last 5 s.")
    lag_messages: int | None = Field(description="Messages that wait; null when the broker cannot tell.")
    lag_s: float | None = Field(description="Seconds the oldest waiting message has waited; null: not known.")
    lag_error: str = Field(description="Why the lag is not known; empty when it is.")
    last_error: str
    last_error_at: datetime | None


class SourcesOut(Schema):
    """All sources; never more than one page."""

    items: list[SourceOut]
    next_cursor: str | None = None


class PausedOut(Schema):
    """What a source was set to."""

    name: str
    paused: bool
    changed: bool = Field(description="False when it already was so.")


class ThroughputOut(Schema):
    """Events stored, without EventHub's own receipts."""

    per_s: float
    yesterday_per_s: float | None
    by_type: dict[str, float] = Field(description="Events a second of each type, over the last 5 s.")


class LagOut(Schema):
    """The source that is most behind."""

    seconds: float | None
    messages: int | None
    source: str
    topic: str


class ErrorsOut(Schema):
    """Deliveries in the last minute, as services reported them."""

    ratio: float | None = Field(description="0…1; null when none was reported.")
    failed: int
    deliveries: int


class ProcessingOut(Schema):
    """Processing time in the last minute, in seconds."""

    p50_s: float | None
    p95_s: float | None


class DeadLettersOut(Schema):
    """Messages that wait for a person."""

    open: int
    groups: int
    today: int = Field(description="Came since midnight, UTC.")


class FindingOut(Schema):
    """One thing that needs a person."""

    level: str
    text: str
    href: str


class HealthOut(Schema):
    """The health line of the Overview."""

    level: str = Field(description="ok, busy, broken, or unknown before anything arrived.")
    text: str
    findings: list[FindingOut]


class SummaryOut(Schema):
    """How everything stands at this second."""

    at: datetime
    health: HealthOut
    throughput: ThroughputOut
    lag: LagOut
    errors: ErrorsOut
    processing: ProcessingOut
    dead_letters: DeadLettersOut
    last_event_at: datetime | None


@router.get(
    "/metrics/summary",
    response=SummaryOut,
    auth=requires(Scope.READ),
    summary="How everything stands",
    operation_id="metrics_summary",
)
def summary(request: HttpRequest) -> dict[str, Any]:
    """The numbers of the Overview: throughput, lag, errors, processing time, dead letters and what needs a person."""
    now = snapshot.take()
    return {
        "at": now.at,
        "health": now.health,
        "throughput": {
            "per_s": now.throughput.per_s,
            "yesterday_per_s": now.yesterday.per_s,
            "by_type": now.type_rates,
        },
        "lag": now.lag,
        "errors": now.errors,
        "processing": now.processing,
        "dead_letters": now.dead_letters,
        "last_event_at": now.last_event_at,
    }


@router.get(
    "/sources",
    response=SourcesOut,
    auth=requires(Scope.READ),
    summary="All sources",
    operation_id="list_sources",
)
def list_sources(request: HttpRequest) -> dict[str, Any]:
    """Every source with its state, rate, lag and last error."""
    return {"items": snapshot.sources_now(timezone.now())}


@router.post(
    "/sources/{name}/pause",
    response=PausedOut,
    auth=requires(Scope.OPERATE, divided=True),
    summary="Pause a source",
    operation_id="pause_source",
)
def pause(request: HttpRequest, name: Name) -> dict[str, Any]:
    """Workers stop reading it within about a second; what waits stays with the broker."""
    return _set_paused(request, name, True)


@router.post(
    "/sources/{name}/resume",
    response=PausedOut,
    auth=requires(Scope.OPERATE, divided=True),
    summary="Resume a source",
    operation_id="resume_source",
)
def resume(request: HttpRequest, name: Name) -> dict[str, Any]:
    """Workers go on where they stopped."""
    return _set_paused(request, name, False)


def _set_paused(request: HttpRequest, name: str, paused: bool) -> dict[str, Any]:
    require(request, Role.OPERATOR, source=name)
    source = get_object_or_404(Source, name=name)
    changed = set_paused(source, paused, actor_of(request))
    return {"name": source.name, "paused": paused, "changed": changed}
