"""Looking at traces that are due: which variant each took, and how its process stands.

The learner marks a trace when something new came of it; a state that only the clock can change (a deadline) is due at
that moment. One worker looks at a time; what a page shows is at most some seconds old, and says so.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import connection, transaction

from eventhub.traces.assemble import State, Trace
from eventhub.traces.flow.figures import Usual, usual_hops
from eventhub.traces.loading import load_traces
from eventhub.traces.models import Instance, InstanceState, Process, Variant
from eventhub.traces.pace import slow_steps
from eventhub.traces.processes import alerts
from eventhub.traces.processes.plans import plans
from eventhub.traces.processes.standing import Passed, Plan, Standing, standing_of
from eventhub.traces.processes.variants import LONGEST_NAME, Path, path_of
from eventhub.traces.story import subject_of
from monitoring.rollups.histogram import bucket_of

PIECE = 80
RUN_S = 3.0
LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('traces watch processes'))"
# Slow hops that are kept of one trace.
MOST_SLOW = 10


def watch(run_s: float = RUN_S, now: datetime | None = None) -> int:
    """Look at what is due for a while; how many traces were looked at."""
    until = time.monotonic() + run_s
    usual = usual_hops()
    looked = 0
    while True:
        count = _piece(now or datetime.now(UTC), usual)
        looked += count
        if count < PIECE or time.monotonic() > until:
            return looked


class _Change(msgspec.Struct):
    """What a variant gains and loses in one piece."""

    path: Path | None = None
    count: int = 0
    failed: int = 0
    failed_at: dict[str, int] = msgspec.field(default_factory=dict)
    histogram: dict[int, int] = msgspec.field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None
    example: str = ""

    def count_one(self, sign: int, *, duration_s: float, failed_type: str, failed: bool) -> None:
        self.count += sign
        bucket = bucket_of(duration_s)
        self.histogram[bucket] = self.histogram.get(bucket, 0) + sign
        if failed:
            self.failed += sign
            self.failed_at[failed_type] = self.failed_at.get(failed_type, 0) + sign


@transaction.atomic
def _piece(now: datetime, usual: Mapping[tuple[str, str], Usual]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        if not (cursor.fetchone() or (False,))[0]:
            return 0
    # Index instance_due. The learner may mark a row again meanwhile: it waits for this transaction.
    due = list(Instance.objects.select_for_update().filter(due_at__lte=now).order_by("due_at")[:PIECE])
    if not due:
        return 0
    loaded = load_traces([instance.correlation_id for instance in due], now)
    known = plans()
    changes: dict[tuple[str, str], _Change] = defaultdict(_Change)
    stuck: list[Instance] = []
    ways: dict[int, tuple[str, str]] = {}
    old = {v.pk: v for v in Variant.objects.filter(pk__in={i.variant_id for i in due if i.variant_id})}
    for instance in due:
        if instance.variant_id and (variant := old.get(instance.variant_id)):
            changes[variant.start_type, variant.digest].count_one(
                -1,
                duration_s=instance.duration_s or 0.0,
                failed_type=instance.failed_type,
                failed=bool(instance.failed_type),
            )
        found = loaded.get(instance.correlation_id)
        path = path_of(found.trace) if found else None
        if found is None or path is None:
            instance.due_at, instance.variant = None, None
            continue
        was_stuck = instance.state == InstanceState.STUCK
        _note(instance, found.trace, path, known.get(path.start_type), usual, now)
        if instance.state == InstanceState.STUCK and not was_stuck:
            stuck.append(instance)
        key = (path.start_type, path.digest)
        ways[instance.pk] = key
        change = changes[key]
        change.path, change.example = path, instance.correlation_id
        change.first = min(filter(None, (change.first, found.trace.started_at)))
        change.last = max(filter(None, (change.last, found.trace.started_at)))
        change.count_one(
            1,
            duration_s=found.trace.duration_s,
            failed_type=instance.failed_type,
            failed=bool(instance.failed_type),
        )
    numbers = _keep_variants(changes)
    for instance in due:
        if instance.pk in ways:
            instance.variant_id = numbers[ways[instance.pk]]
    Instance.objects.bulk_update(due, _FIELDS)
    if stuck:
        transaction.on_commit(lambda: alerts.tell_stuck(stuck))
    return len(due)


_FIELDS = (
    "due_at", "start_type", "process", "variant", "state", "subject", "events", "started_at", "last_at", "duration_s",
    "failed_type", "missing_type", "missing_after", "stuck_since", "undone", "slow_hops",
)  # fmt: skip


def _note(
    instance: Instance,
    trace: Trace,
    path: Path,
    named: tuple[Process, Plan] | None,
    usual: Mapping[tuple[str, str], Usual],
    now: datetime,
) -> None:
    about, number = subject_of(trace.steps)
    instance.start_type = path.start_type
    instance.subject = f"{about} {number}".strip()[:LONGEST_NAME]
    instance.events = len(trace.steps)
    instance.started_at, instance.last_at = trace.started_at, trace.ended_at
    instance.duration_s = trace.duration_s
    instance.failed_type = _failed_type(trace)
    instance.slow_hops = [
        [
            trace.steps[trace.steps[index].cause or 0].event_type,
            trace.steps[index].event_type,
            round(trace.steps[index].hop_s or 0.0, 3),
            round(slow.usual_s, 3),
        ]
        for index, slow in list(slow_steps(trace, usual).items())[:MOST_SLOW]
    ]
    standing = _standing(trace, named, usual, now)
    instance.process = named[0] if named else None
    instance.state = standing.state if standing else ""
    instance.missing_type = standing.missing_type if standing else ""
    instance.missing_after = standing.missing_after if standing else ""
    instance.undone = list(standing.undone) if standing else []
    if instance.state == InstanceState.STUCK:
        instance.stuck_since = instance.stuck_since or now
    else:
        instance.stuck_since = None
    instance.due_at = standing.due_at if standing else None


def _standing(
    trace: Trace, named: tuple[Process, Plan] | None, usual: Mapping[tuple[str, str], Usual], now: datetime
) -> Standing | None:
    if named is None:
        return None
    passed = [Passed(step.event_type, step.at) for step in trace.steps if step.event is not None]
    return standing_of(named[1], passed, usual, now)


def _failed_type(trace: Trace) -> str:
    """Where it went wrong first; empty where nothing did."""
    if trace.state not in (State.DEAD, State.FAILED):
        return ""
    failed = [step for step in trace.steps if step.failed]
    return min(failed, key=lambda step: step.at).event_type[:LONGEST_NAME] if failed else ""


def _keep_variants(changes: Mapping[tuple[str, str], _Change]) -> dict[tuple[str, str], int]:
    """Add the changes to the variants' rows; their primary keys. One worker writes them: it holds the lock."""
    starts = {start for start, _ in changes}
    rows = {
        (variant.start_type, variant.digest): variant
        for variant in Variant.objects.filter(start_type__in=starts, digest__in={d for _, d in changes})
    }
    for key, change in changes.items():
        variant = rows.get(key)
        if variant is None:
            if change.path is None or change.first is None:
                continue
            variant = rows[key] = Variant(
                start_type=key[0],
                digest=key[1],
                path=msgspec.to_builtins(change.path.stations),
                first_seen_at=change.first,
                last_seen_at=change.first,
            )
        _add(variant, change)
        variant.save()
    return {key: variant.pk for key, variant in rows.items()}


def _add(variant: Variant, change: _Change) -> None:
    variant.count = max(0, variant.count + change.count)
    variant.failed = max(0, variant.failed + change.failed)
    variant.failed_at = _summed(variant.failed_at, change.failed_at)
    pairs: dict[Any, int] = dict(zip(variant.buckets, variant.counts, strict=True))
    histogram = _summed(pairs, change.histogram)
    variant.buckets = sorted(histogram)
    variant.counts = [histogram[bucket] for bucket in variant.buckets]
    if change.first and change.last:
        variant.first_seen_at = min(variant.first_seen_at, change.first)
        variant.last_seen_at = max(variant.last_seen_at, change.last)
        variant.example = change.example


def _summed(kept: Mapping[Any, int], added: Mapping[Any, int]) -> dict[Any, int]:
    names = {*kept, *added}
    sums = {name: kept.get(name, 0) + added.get(name, 0) for name in names}
    return {name: value for name, value in sums.items() if value > 0}


def reconsider(start_type: str) -> int:
    """Mark every instance that begins with this type to be looked at again: its process was changed."""
    return Instance.objects.filter(start_type=start_type).update(due_at=datetime.now(UTC))


def waiting() -> int:
    """How many traces wait to be looked at, now."""
    return Instance.objects.filter(due_at__lte=datetime.now(UTC)).count()
