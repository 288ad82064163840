"""A trace for other tools: JSON, OpenTelemetry (OTLP JSON), a Mermaid diagram; one event as curl and kcat commands."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from eventhub.events.queries import StoredEvent
from eventhub.events.receipts import Receipt
from eventhub.traces.assemble import Step, Trace

# A diagram of more is unreadable.
MOST_ARROWS = 400
_OK, _ERROR = 1, 2
# OTLP's SpanKind: producing a message, consuming one.
_PRODUCER, _CONSUMER = 4, 5


def otlp(trace: Trace) -> dict[str, Any]:
    """The trace as an OTLP ``ExportTraceServiceRequest``: an event is a span, and so is each delivery below it.

    Trace and span ids are digests of EventHub's own ids (which may be any text) of the lengths that OTLP asks for; a
    correlation id of 32 hexadecimal digits stays itself. A span begins with its cause and ends with its event.
    """
    trace_id = _trace_id(trace.correlation_id)
    by_service: dict[str, list[dict[str, Any]]] = {}
    for step in trace.steps:
        by_service.setdefault(step.service or "unknown", []).append(_event_span(step, trace, trace_id))
        for delivery in step.deliveries:
            by_service.setdefault(delivery.service, []).append(_delivery_span(delivery, step, trace_id))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [_attribute("service.name", service)]},
                "scopeSpans": [{"scope": {"name": "eventhub"}, "spans": spans}],
            }
            for service, spans in by_service.items()
        ]
    }


def mermaid(trace: Trace) -> str:
    """The trace as a Mermaid sequence diagram; at most `MOST_ARROWS` events."""
    names = {service: f"s{number}" for number, service in enumerate(trace.services)}
    lines = ["sequenceDiagram", *(f"    participant {name} as {_said(full)}" for full, name in names.items())]
    for step in sorted(trace.steps, key=lambda one: (one.at, one.index))[:MOST_ARROWS]:
        cause = trace.steps[step.cause] if step.cause is not None else None
        to = names.get(step.service or "")
        if to is None:
            continue
        origin = names.get(cause.service or "", to) if cause else to
        # Solid for what is known, dashed for what is guessed, a cross for what failed.
        arrow = "-x" if step.failed else "-->>" if step.inferred else "->>"
        said = f"{cause.event_type} → {step.event_type}" if cause else step.event_type
        lines.append(f"    {origin}{arrow}{to}: {_said(said)}")
    return "\n".join(lines) + "\n"


def curl(raw: str) -> str:
    """The command that sends an event (as its native envelope) to an EventHub again."""
    return (
        'curl -X POST "$EVENTHUB_URL/api/events" -H "Authorization: Bearer $EVENTHUB_TOKEN"'
        f" -H 'Content-Type: application/json' --data {shlex.quote(raw)}"
    )


def kcat(event: StoredEvent) -> str:
    """The command that reads the very message from Kafka, where its place is known; else one that publishes it."""
    topic = shlex.quote(event.origin_topic or "TOPIC")
    if event.origin_partition is not None and (event.origin_offset or "").isdigit():
        return f'kcat -C -b "$BROKERS" -t {topic} -p {event.origin_partition} -o {event.origin_offset} -c 1'
    key = f" -k {shlex.quote(event.message_key)}" if event.message_key else ""
    return f'printf %s {shlex.quote(event.data or "")} | kcat -P -b "$BROKERS" -t {topic}{key}'


def _event_span(step: Step, trace: Trace, trace_id: str) -> dict[str, Any]:
    cause = trace.steps[step.cause] if step.cause is not None else None
    start = min(cause.at, step.at) if cause else step.at
    span = {
        "traceId": trace_id,
        "spanId": _span_id(step.event_id),
        "name": step.event_type,
        "kind": _PRODUCER,
        "startTimeUnixNano": _nanos(start),
        "endTimeUnixNano": _nanos(step.at),
        "attributes": [
            _attribute("messaging.message.id", step.event_id),
            _attribute("eventhub.correlation_id", trace.correlation_id),
            *_attributes_of(step.event),
            *([_attribute("eventhub.cause_inferred", True)] if step.inferred else []),
        ],
        "status": {"code": _ERROR if step.failed else _OK},
    }
    return span | ({"parentSpanId": _span_id(cause.event_id)} if cause else {})


def _attributes_of(event: StoredEvent | None) -> list[dict[str, Any]]:
    if event is None:
        return []
    known: Mapping[str, Any] = {
        "messaging.destination.name": event.origin_topic,
        "messaging.destination.partition.id": event.origin_partition,
        "messaging.kafka.offset": event.origin_offset,
        "eventhub.stream": event.stream,
        "eventhub.event_version": event.event_version,
    }
    return [_attribute(name, value) for name, value in known.items() if value is not None]


def _delivery_span(delivery: Receipt, step: Step, trace_id: str) -> dict[str, Any]:
    start = delivery.at - timedelta(seconds=delivery.duration_s or 0.0)
    status: dict[str, Any] = {"code": _OK}
    if not delivery.succeeded:
        status = {"code": _ERROR, "message": f"{delivery.error_class}: {delivery.error_message}"}
    return {
        "traceId": trace_id,
        "spanId": _span_id(f"{step.event_id}\x1f{delivery.service}\x1f{delivery.attempt}\x1f{delivery.at}"),
        "parentSpanId": _span_id(step.event_id),
        "name": f"process {step.event_type}",
        "kind": _CONSUMER,
        "startTimeUnixNano": _nanos(start),
        "endTimeUnixNano": _nanos(delivery.at),
        "attributes": [_attribute("eventhub.attempt", delivery.attempt)],
        "status": status,
    }


def _attribute(name: str, value: str | int | bool) -> dict[str, Any]:
    kind = "boolValue" if isinstance(value, bool) else "intValue" if isinstance(value, int) else "stringValue"
    return {"key": name, "value": {kind: str(value) if kind == "intValue" else value}}


def _trace_id(correlation_id: str) -> str:
    lowered = correlation_id.replace("-", "").lower()
    if len(lowered) == 32 and not set(lowered) - set("0123456789abcdef") and set(lowered) != {"0"}:
        return lowered
    return blake2b(correlation_id.encode(), digest_size=16).hexdigest()


def _span_id(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _nanos(at: datetime) -> str:
    whole = at.replace(microsecond=0).timestamp()
    return str(int(whole) * 1_000_000_000 + at.microsecond * 1_000)


def _said(text: str) -> str:
    """Without what Mermaid would read as its own."""
    return "".join(" " if char in ";#\n\r:" else char for char in text)[:120]


def encode(value: Any) -> bytes:
    """As indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


FORMATS: Sequence[str] = ("json", "otlp", "mermaid")
