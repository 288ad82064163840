"""Sending spans and metrics over OTLP, as the usual variables of OpenTelemetry say.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and, for the endpoint, headers,
timeouts and certificates, https://opentelemetry.io/docs/specs/otel/protocol/exporter/. The protocol is http/protobuf.
"""

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import psutil
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from eventhub.telemetry import operations
from eventhub.telemetry.operations import Value

log = logging.getLogger(__name__)

NAME = "eventhub"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL = "http/protobuf"
OPERATION = "operation"

_exporting: "Exporting | None" = None


def start(environ: Mapping[str, str] = os.environ) -> bool:
    """Begin to send what the environment asks for; returns whether it asks for anything."""
    global _exporting
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    wanted = {signal: _is_wanted(signal, environ) for signal in ("TRACES", "METRICS")}
    if not any(wanted.values()):
        return False
    _exporting = Exporting(traces=wanted["TRACES"], metrics=wanted["METRICS"])
    operations.tell(_exporting)
    return True


def stop() -> None:
    """Send what is left, and nothing more."""
    global _exporting
    operations.tell(None)
    if _exporting is not None:
        _exporting.close()
        _exporting = None


def _is_wanted(signal: str, environ: Mapping[str, str]) -> bool:
    """Whether there is a place to send `signal` to (TRACES or METRICS), and nobody said not to."""
    said = environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip()
    if not (environ.get(ENDPOINT) or environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")) or said == "none":
        return False
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    if said != "otlp" or (protocol or PROTOCOL) != PROTOCOL:
        log.warning(
            "OpenTelemetry %s are not sent: EventHub speaks OTLP over %s (port 4318 of a collector), not %s.",
            signal.lower(), PROTOCOL, said if said != "otlp" else protocol,
        )  # fmt: skip
        return False
    return True


class Exporting:
    """The providers of this process. A span that nobody takes, a collector that is away: no operation notices."""

    def __init__(self, *, traces: bool, metrics: bool) -> None:
        resource = Resource.create({"service.instance.id": f"{socket.gethostname()}:{os.getpid()}"})
        if str(resource.attributes["service.name"]).startswith(
            "unknown_service"
        ):  # the environment says none
            resource = resource.merge(Resource({"service.name": NAME}))
        self._tracers = TracerProvider(resource=resource)
        if traces:
            self._tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())] if metrics else []
        self._meters = MeterProvider(readers, resource=resource)
        self.tracer = self._tracers.get_tracer(NAME)
        meter = self._meters.get_meter(NAME)
        self.duration = meter.create_histogram(
            "eventhub.operation.duration", "s", "How long operations took, by name and outcome."
        )
        self.items = meter.create_counter(
            "eventhub.operation.items", "{item}", "What operations dealt with: messages, events, letters."
        )
        process = psutil.Process()
        for name, unit, read in (
            ("process.cpu.time", "s", lambda: sum(process.cpu_times()[:2])),
            ("process.memory.usage", "By", lambda: process.memory_info().rss),
            ("process.thread.count", "{thread}", process.num_threads),
        ):
            create = (
                meter.create_observable_counter if unit == "s" else meter.create_observable_up_down_counter
            )
            create(name, [_observing(read)], unit)

    def begin(
        self, name: str, items: int, caller: Mapping[str, str] | None, attributes: Mapping[str, Value]
    ) -> "Told":
        """See operations.Sink."""
        return Told(self, name, items, caller, attributes)

    def close(self) -> None:
        """Send what is left."""
        self._tracers.shutdown()
        self._meters.shutdown()


class Told:
    """An operation with its span."""

    def __init__(
        self,
        exporting: Exporting,
        name: str,
        items: int,
        caller: Mapping[str, str] | None,
        attributes: Mapping[str, Value],
    ) -> None:
        self._exporting, self._name, self._items = exporting, name, items
        self._outcome = "ok"
        context = propagate.extract(caller) if caller is not None else None
        kind = SpanKind.SERVER if caller is not None else SpanKind.INTERNAL
        self._span = exporting.tracer.start_span(name, context, kind, _dotted(attributes))
        # Errors are told by their class: what brokers write into theirs is nobody's business here.
        self._current = trace.use_span(
            self._span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        )

    def __enter__(self) -> "Told":
        self._began = time.perf_counter()
        self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        if kind is not None:
            self.fail(kind.__name__)
        told = {OPERATION: self._name, "outcome": self._outcome}
        self._exporting.duration.record(time.perf_counter() - self._began, told)
        self._exporting.items.add(self._items, told)
        self._current.__exit__(None, None, None)

    def set(self, **attributes: Value) -> None:
        """See operations.Operation."""
        self._span.set_attributes(_dotted(attributes))

    def rename(self, name: str) -> None:
        """See operations.Operation."""
        self._span.update_name(name)

    def fail(self, why: str) -> None:
        """See operations.Operation."""
        self._outcome = "error"
        self._span.set_attribute("error.type", why)
        self._span.set_status(Status(StatusCode.ERROR, why))


def _dotted(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name.replace("__", "\0").replace("_", ".").replace("\0", "_"): value
        for name, value in attributes.items()
    }


def _observing(read: Any) -> Any:
    def observe(options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(read())

    return observe
