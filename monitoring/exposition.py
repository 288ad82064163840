"""``/metrics``: what EventHub counts, for Prometheus, in its text format or as OpenMetrics.

https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/open_metrics_spec/

Counters never fall: they are the sums over all rollups. What is older than two hours does not change any more, so its
sum is kept in the cache and carried on by the hour; a scrape adds up what came since.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from eventhub.brokers.models import Source
from eventhub.outbox import figures as outbox
from eventhub.sourcing.projecting import figures as projections
from eventhub.traces.flow.hops import QUANTILES as HOP_QUANTILES
from eventhub.traces.flow.hops import hop_times
from monitoring.lag.groups.reading import FRESH_FOR
from monitoring.lag.groups.rules import Status
from monitoring.lag.models import WatchedGroup
from monitoring.rollups import reading
from monitoring.rollups.windows import floor_to
from monitoring.snapshot import take

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# What is older is settled, and merged into minutes at most.
SETTLED_AFTER = timedelta(hours=2)
BASE_KEY = "metrics:base"
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
QUANTILES_OVER = timedelta(minutes=5)

Labels = Mapping[str, str]
Sums = dict[tuple[str, str], list[int]]
COUNTED = {
    "received": "Events stored.",
    "size_bytes": "Bytes of the events stored.",
    "duplicates": "Events that came again.",
    "dead_letters": "Messages that became dead letters.",
    "handled": "Deliveries that succeeded, as reported.",
    "failed": "Deliveries that failed, as reported.",
}
NAMES = {
    "received": "eventhub_events",
    "size_bytes": "eventhub_event_bytes",
    "duplicates": "eventhub_duplicate_events",
    "dead_letters": "eventhub_dead_lettered_messages",
    "handled": "eventhub_deliveries_succeeded",
    "failed": "eventhub_deliveries_failed",
}


class Family(msgspec.Struct, frozen=True):
    """A metric with its samples: labels and value."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: list[tuple[Labels, float]]


class Base(msgspec.Struct, frozen=True):
    """The sums of everything before a moment (Unix seconds)."""

    until_s: int
    sums: list[tuple[str, str, list[int]]]


def render(families: Iterable[Family], *, openmetrics: bool) -> str:
    """The families as text."""
    lines: list[str] = []
    for family in families:
        # Prometheus calls the family by its samples' name, OpenMetrics without what marks a counter.
        sample_name = f"{family.name}_total" if family.kind == "counter" else family.name
        family_name = family.name if openmetrics else sample_name
        lines += [f"# HELP {family_name} {_escaped(family.help)}", f"# TYPE {family_name} {family.kind}"]
        lines += [f"{sample_name}{_labels(labels)} {value!r}" for labels, value in family.samples]
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def families(now: datetime | None = None) -> Iterator[Family]:
    """Everything there is to scrape."""
    now = now or timezone.now()
    yield from _counters(now)
    yield from _quantiles(now)
    snapshot = take(now)
    yield _one("eventhub_events_per_second", "Events stored a second, over 5 s.", snapshot.throughput.per_s)
    yield _one(
        "eventhub_dead_letters_open", "Dead letters that wait for a person.", snapshot.dead_letters.open
    )
    yield _one("eventhub_dead_letter_groups_open", "Groups of them.", snapshot.dead_letters.groups)
    yield _one("eventhub_alerts_firing", "Alerts that fire.", snapshot.alerts_firing)
    yield Family(
        "eventhub_source_up",
        "gauge",
        "1 while a worker reads the source without trouble.",
        [
            ({"source": one.name, "broker": one.kind, "state": one.state}, float(one.level == "ok"))
            for one in snapshot.sources
        ],
    )
    yield from _groups(now)
    yield from _own_readers()


def _counters(now: datetime) -> Iterator[Family]:
    sums = _totals(now)
    names = dict(Source.objects.values_list("pk", "name"))
    for n, (column, text) in enumerate(COUNTED.items()):
        samples: list[tuple[Labels, float]] = [
            ({"event_type": event_type, "source": names.get(int(origin or 0), "")}, float(values[n]))
            for (event_type, origin), values in sorted(sums.items())
        ]
        yield Family(NAMES[column], "counter", text, samples)


def _totals(now: datetime) -> Sums:
    until = floor_to(now - SETTLED_AFTER, 3600)
    packed = cache.get(BASE_KEY)
    base = msgspec.msgpack.decode(packed, type=Base) if packed else Base(0, [])
    sums: Sums = {(event_type, origin): values for event_type, origin, values in base.sums}
    if base.until_s < until.timestamp():
        _add(sums, datetime.fromtimestamp(base.until_s, UTC), until)
        carried = Base(int(until.timestamp()), [(*key, values) for key, values in sums.items()])
        cache.set(BASE_KEY, msgspec.msgpack.encode(carried), None)
        sums = {key: list(values) for key, values in sums.items()}
        base = carried
    _add(sums, datetime.fromtimestamp(base.until_s, UTC), now + timedelta(seconds=1))
    return sums


def _add(sums: Sums, start: datetime, end: datetime) -> None:
    columns = ", ".join(f"sum({column})" for column in COUNTED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT event_type, coalesce(origin_id::text, ''), {columns}
                FROM rollups_rollup WHERE bucket >= %s AND bucket < %s GROUP BY 1, 2""",  # noqa: S608 - constants
            [start, end],
        )
        for event_type, origin, *values in cursor.fetchall():
            before = sums.setdefault((event_type, origin), [0] * len(COUNTED))
            sums[event_type, origin] = [a + int(b) for a, b in zip(before, values, strict=True)]


def _quantiles(now: datetime) -> Iterator[Family]:
    texts: dict[reading.Histogram, str] = {
        "processing": "Processing time by event type, over 5 min.",
        "arrival": "Time from an event's occurrence to its being stored, over 5 min.",
    }
    for which, text in texts.items():
        samples: list[tuple[Labels, float]] = []
        for event_type, shape in reading.histograms(which, now - QUANTILES_OVER, now, "event_type").items():
            for q, value in zip(QUANTILES, reading.percentiles(shape, *QUANTILES), strict=True):
                if value is not None:
                    samples.append(({"event_type": event_type, "quantile": f"{q:g}"}, value))
        yield Family(f"eventhub_{which}_seconds", "gauge", text, samples)
    yield Family(
        "eventhub_hop_seconds",
        "gauge",
        "Time from a cause to its effect, by their event types, over 5 min of event time.",
        [
            ({"cause": hop.from_type, "effect": hop.to_type, "quantile": f"{q:g}"}, value)
            for hop in hop_times(now - QUANTILES_OVER, now)
            for q, value in zip(HOP_QUANTILES, (hop.p50_s, hop.p95_s, hop.p99_s), strict=True)
        ],
    )


def _groups(now: datetime) -> Iterator[Family]:
    messages: list[tuple[Labels, float]] = []
    seconds: list[tuple[Labels, float]] = []
    trouble: list[tuple[Labels, float]] = []
    found = WatchedGroup.objects.filter(looked_at__gt=now - FRESH_FOR).select_related("broker").defer("parts")
    for group in found.order_by("broker_id", "name"):
        labels = {"broker": f"{group.broker.kind} {group.broker.name}", "group": group.name}
        # What nobody could tell has no sample: it is not zero.
        if group.messages is not None:
            messages.append((labels, float(group.messages)))
        if group.seconds is not None:
            seconds.append((labels, group.seconds))
        trouble.append(({**labels, "status": group.status}, float(Status(group.status).level == "broken")))
    yield Family(
        "eventhub_group_lag_messages", "gauge", "Messages that wait for a group or in a queue.", messages
    )
    yield Family("eventhub_group_lag_seconds", "gauge", "How long the oldest of them has waited.", seconds)
    yield Family(
        "eventhub_group_in_trouble", "gauge", "1 while it has stopped, is stalled or was rewound.", trouble
    )


def _own_readers() -> Iterator[Family]:
    standings = projections.standings()
    events: list[tuple[Labels, float]] = [({"projection": one.name}, float(one.behind)) for one in standings]
    ages: list[tuple[Labels, float]] = [({"projection": one.name}, one.oldest_age_s) for one in standings]
    yield Family(
        "eventhub_projection_behind_events", "gauge", "Events not taken in yet, up to 10,000.", events
    )
    yield Family("eventhub_projection_behind_seconds", "gauge", "How long the oldest has waited.", ages)
    for name, told, value in outbox.metrics():
        yield _one(name, told, value)


def _one(name: str, text: str, value: float) -> Family:
    return Family(name, "gauge", text, [({}, float(value))])


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels.items()) + "}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text
