"""One event of a trace from all sides: payload, envelope, what its schema says, who handled it, what died."""

from collections.abc import Sequence
from typing import Any

import msgspec

from eventhub.brokers.models import Source
from eventhub.events.queries import StoredEvent
from eventhub.events.receipts import Receipt
from eventhub.events.showing import Show
from eventhub.handlers.history import Pending, handlers_among, pending_of
from eventhub.schemas.models import SchemaStatus, SchemaVersion
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.paths import Steps
from eventhub.schemas.personal.sealing import opened
from eventhub.schemas.validation import compile_schema, explain
from eventhub.traces import exporting
from eventhub.traces.assemble import Letter, Step, Trace, last_attempts
from eventhub.traces.previous import Change, changes_between, previous_to

# Effects listed beside an event; the tree shows all.
MOST_EFFECTS = 12


class Verdict(msgspec.Struct, frozen=True):
    """What the schema of the event's version says about its data. `breaches` is empty when it fits."""

    version: str
    status: str
    schema_id: int
    breaches: list[str]


class Served(msgspec.Struct, frozen=True):
    """How one service fared with the event: its last attempt and those before it."""

    last: Receipt
    attempts: list[Receipt]
    # A handler of EventHub's own: it has a page.
    is_handler: bool


class Panel(msgspec.Struct, frozen=True):
    """What the side panel and the event's page show."""

    step: Step
    event: StoredEvent | None
    data: Any
    metadata: Any
    raw: str
    cause: Step | None
    effects: list[Step]
    more_effects: int
    served: list[Served]
    # Handlers that have not done with it yet.
    pending: list[Pending]
    letters: Sequence[Letter]
    verdict: Verdict | None
    origin: Source | None
    # From its time to when EventHub recorded it; negative when the producer's clock runs ahead.
    arrival_s: float | None
    before: str
    after: str
    # The event before it of its stream, else of its type, and how its payload differs from that.
    previous: StoredEvent | None
    previous_of: str
    changes: Sequence[Change]
    curl: str
    kcat: str


def panel_of(trace: Trace, step: Step, stored: Sequence[StoredEvent], show: Show) -> Panel:
    """The panel of a step; `stored` are the events under its id, whole; `show` hides what one may not see."""
    previous, previous_of = None, ""
    event = next((one for one in stored if step.event and one.key == step.event.key), step.event)
    effects = [other for other in trace.steps if other.cause == step.index] if step.caused else []
    verdict = None
    if event:
        previous, previous_of = previous_to(trace, step, event)
        previous = show(previous) if previous else None
        whole, shown = opened(event), show(event)
        verdict = _verdict(event, whole.value, fields.paths(event.event_type) if shown != whole else ())
        event = shown
    data = event.value if event else None
    raw = raw_json(event, data) if event else ""
    return Panel(
        step=step,
        event=event,
        data=data,
        metadata=event.metadata_value if event else None,
        raw=raw,
        cause=trace.steps[step.cause] if step.cause is not None else None,
        effects=effects[:MOST_EFFECTS],
        more_effects=max(0, len(effects) - MOST_EFFECTS),
        served=_served(step.deliveries),
        pending=pending_of(step.event_id) if event else [],
        letters=step.letters,
        verdict=verdict,
        origin=Source.objects.filter(pk=event.origin_id).first() if event and event.origin_id else None,
        arrival_s=(event.recorded_at - event.occurred_at).total_seconds() if event else None,
        before=trace.steps[step.index - 1].event_id if step.index > 0 else "",
        after=trace.steps[step.index + 1].event_id if step.index + 1 < len(trace.steps) else "",
        previous=previous,
        previous_of=previous_of,
        changes=changes_between(previous.value if previous else None, data) if previous else [],
        curl=exporting.curl(raw) if event else "",
        kcat=exporting.kcat(event) if event else "",
    )


def raw_json(event: StoredEvent, data: Any) -> str:
    """The event as its native envelope, indented."""
    envelope = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "event_version": event.event_version,
        "timestamp": event.occurred_at,
        "data": data,
        "metadata": {
            **(event.metadata_value if isinstance(event.metadata_value, dict) else {}),
            "source": event.source,
            "correlation_id": event.correlation_id,
            "causation_id": event.causation_id,
            "stream": event.stream,
            "stream_version": event.stream_version,
        },
    }
    return msgspec.json.format(msgspec.json.encode(envelope), indent=2).decode()


def _served(deliveries: Sequence[Receipt]) -> list[Served]:
    last = last_attempts(deliveries)
    handlers = handlers_among({one.service for one in last})
    return [
        Served(one, [other for other in deliveries if other.service == one.service], one.service in handlers)
        for one in last
    ]


def _verdict(event: StoredEvent, data: Any, hidden: Sequence[Steps]) -> Verdict | None:
    """By the active schema of its version, else by a draft; None where there is neither."""
    versions = {
        version.status: version
        for version in SchemaVersion.objects.filter(
            event_type__name=event.event_type, version=event.event_version or ""
        )
    }
    schema = versions.get(SchemaStatus.ACTIVE) or versions.get(SchemaStatus.DRAFT)
    if schema is None:
        return None
    try:
        breaches = explain(compile_schema(schema.schema), data, hidden)
    except ValueError as error:
        breaches = [f"The schema itself cannot be used: {error}"]
    return Verdict(schema.version, schema.status, schema.pk, breaches)
