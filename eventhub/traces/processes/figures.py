"""Processes in numbers: how many instances stand how, which variants there are, what is stuck where."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db.models import Count, Max, Sum

from eventhub.traces.models import Instance, InstanceState, Process, Role, Variant
from monitoring.rollups.histogram import merge, percentile

MOST_VARIANTS = 40
LEVELS = {
    InstanceState.STUCK: "broken",
    InstanceState.COMPENSATING: "busy",
    InstanceState.COMPENSATED: "busy",
    InstanceState.RUNNING: "unknown",
    InstanceState.COMPLETED: "ok",
}


class ProcessRow(msgspec.Struct, frozen=True):
    """A named process with its counts."""

    process: Process
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """All its instances."""
        return sum(self.counts.values())

    @property
    def stuck(self) -> int:
        """Those that do not go on."""
        return self.counts.get(InstanceState.STUCK, 0)


class VariantRow(msgspec.Struct, frozen=True):
    """A variant with what people want to know of it."""

    variant: Variant
    share: float
    p50_s: float | None
    p99_s: float | None
    fails_at: str

    @property
    def stations(self) -> list[tuple[int, str, int]]:
        """(depth, event type, times) in causal order."""
        return [(depth, name, times) for depth, name, times in self.variant.path]

    @property
    def width(self) -> int:
        """Of its bar, in percent."""
        return max(1, round(self.share * 100))


class StuckProcess(msgspec.Struct, frozen=True):
    """A process with instances that do not go on, and what is missing in those that stuck last, in words."""

    process_id: int
    process: str
    count: int
    newest: list[str]


class StartRow(msgspec.Struct, frozen=True):
    """What begins traces, as mined."""

    start_type: str
    traces: int
    failed: int
    variants: int
    last_seen_at: datetime | None
    process: Process | None


class Station(msgspec.Struct, frozen=True):
    """A step of the plan with what is stuck before it."""

    event_type: str
    role: str
    after: str
    undoes: str
    within_s: float | None
    stuck: int


def process_rows() -> list[ProcessRow]:
    """All named processes; those with stuck instances first."""
    counts: dict[int, Counter[str]] = {}
    # Index instance_state.
    rows = (
        Instance.objects.filter(process__isnull=False).values_list("process", "state").annotate(n=Count("id"))
    )
    for process_id, state, count in rows.order_by():
        counts.setdefault(process_id, Counter())[state] += count
    found = [ProcessRow(process, dict(counts.get(process.pk, {}))) for process in Process.objects.all()]
    return sorted(found, key=lambda row: (-row.stuck, row.process.name))


def stuck_counts() -> list[tuple[int, str, int]]:
    """Processes with stuck instances: primary key, name, how many. Index instance_state."""
    rows = Instance.objects.filter(process__enabled=True, state=InstanceState.STUCK)
    return list(
        rows.values_list("process_id", "process__name").annotate(n=Count("id")).order_by("process__name")
    )


def stuck_processes(name: str = "", most: int = 3) -> list[StuckProcess]:
    """Processes whose name holds `name` and that have stuck instances, with the `most` that stuck last of each."""
    found = []
    for pk, process, count in stuck_counts():
        if name.lower() not in process.lower():
            continue
        # Index instance_state.
        newest = Instance.objects.filter(process=pk, state=InstanceState.STUCK).order_by("-last_at")[:most]
        words = [
            f"{one.subject or one.correlation_id}: no {one.missing_type} after {one.missing_after}"
            for one in newest
        ]
        found.append(StuckProcess(pk, process, count, words))
    return found


def start_rows(limit: int = 100) -> list[StartRow]:
    """What begins traces, the most frequent first."""
    named = {process.start_type: process for process in Process.objects.all()}
    rows = (
        Variant.objects.filter(count__gt=0)
        .values("start_type")
        .annotate(traces=Sum("count"), bad=Sum("failed"), variants=Count("id"), last=Max("last_seen_at"))
        .order_by("-traces")[:limit]
    )
    return [
        StartRow(
            row["start_type"],
            row["traces"],
            row["bad"],
            row["variants"],
            row["last"],
            named.get(row["start_type"]),
        )
        for row in rows
    ]


def variant_rows(start_type: str) -> list[VariantRow]:
    """The variants that begin with a type, the most frequent first."""
    variants = list(
        Variant.objects.filter(start_type=start_type, count__gt=0).order_by("-count")[:MOST_VARIANTS]
    )
    total = sum(variant.count for variant in variants) or 1
    return [
        VariantRow(
            variant,
            variant.count / total,
            percentile(variant.buckets, variant.counts, 0.5),
            percentile(variant.buckets, variant.counts, 0.99),
            max(variant.failed_at, key=variant.failed_at.get, default="") if variant.failed else "",
        )
        for variant in variants
    ]


def durations(variants: Sequence[VariantRow]) -> tuple[float | None, float | None]:
    """Median and p99 over all of these."""
    buckets, counts = merge((row.variant.buckets, row.variant.counts) for row in variants)
    return percentile(buckets, counts, 0.5), percentile(buckets, counts, 0.99)


def stations(process: Process) -> tuple[list[Station], list[Station]]:
    """The way to the end, and what happens when it cannot be reached; with what is stuck before each."""
    stuck: Counter[str] = Counter()
    rows = Instance.objects.filter(process=process, state=InstanceState.STUCK).values_list("missing_type")
    for name, count in rows.annotate(n=Count("id")).order_by():
        stuck[name] += count
    found = [
        Station(step.event_type, step.role, step.after, step.undoes, step.within_s, stuck[step.event_type])
        for step in process.steps.all()
    ]
    forward = (Role.STEP, Role.END)
    return [s for s in found if s.role in forward], [s for s in found if s.role not in forward]
