"""The flow map: services as boxes, event types as the edges from who publishes to who consumes. Pure but for `read`.

A service consumes a type when it reported a delivery of it, or published an event that such an event caused. A type
that nobody consumes leads to "nobody"; what a trace begins with comes out of its publisher like any other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from eventhub.traces.flow.figures import Edge, edges
from eventhub.traces.models import HopKind, Process
from monitoring.rollups.histogram import merge, percentile

NOBODY = ""
# An edge fails when so much of its deliveries fail, and is slow when its p95 is beyond this.
BROKEN_SHARE, BUSY_SHARE = 0.05, 0.005


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An event type on its way from its publisher to a consumer. Rates are events a second."""

    publisher: str
    event_type: str
    consumer: str
    count: int
    per_s: float
    # Of the deliveries that were reported; None where nobody reports.
    failed_share: float | None
    p50_s: float | None
    p95_s: float | None

    @property
    def state(self) -> str:
        """What its colour says: ok, busy, broken; unknown where nobody reports."""
        if self.failed_share is None:
            return "unknown"
        return (
            "broken"
            if self.failed_share >= BROKEN_SHARE
            else "busy"
            if self.failed_share >= BUSY_SHARE
            else "ok"
        )


class Box(msgspec.Struct, frozen=True):
    """A service with what it publishes, and the column that it stands in, from the left."""

    name: str
    column: int
    row: int
    per_s: float


class FlowMap(msgspec.Struct, frozen=True):
    """What the page draws."""

    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    # Types by how often one causes another: what `blast_radius` follows.
    hops: Mapping[tuple[str, str], int]


class Hit(msgspec.Struct, frozen=True):
    """A process that stops, and the first step that does not come any more."""

    process_id: int
    name: str
    stops_at: str


class Blast(msgspec.Struct, frozen=True):
    """What stops when a service stops: its own event types, those they cause, the services behind, the processes."""

    types: tuple[str, ...]
    caused: tuple[str, ...]
    services: tuple[str, ...]
    processes: tuple[Hit, ...]


def read(start: datetime, end: datetime) -> FlowMap:
    """The map of a range."""
    return build(edges(start, end), max((end - start).total_seconds(), 1.0))


def build(ways: Iterable[Edge], seconds: float) -> FlowMap:
    """The map of what was counted over so many seconds."""
    ways = list(ways)
    published: dict[tuple[str, str], int] = defaultdict(int)
    hops: dict[tuple[str, str], int] = defaultdict(int)
    consumed: dict[tuple[str, str, str], list[Edge]] = defaultdict(list)
    caused: dict[tuple[str, str, str], list[Edge]] = defaultdict(list)
    for way in ways:
        if way.kind == HopKind.DELIVERY:
            consumed[way.from_service, way.from_type, way.to_service].append(way)
            continue
        published[way.to_service, way.to_type] += way.count
        if way.from_type:
            hops[way.from_type, way.to_type] += way.count
            caused[way.from_service, way.from_type, way.to_service].append(way)
    links = [
        _link(key, consumed.get(key, ()), caused.get(key, ()), seconds)
        for key in sorted({*consumed, *caused})
    ]
    known = {(link.publisher, link.event_type) for link in links}
    links += [
        Link(publisher=service, event_type=event_type, consumer=NOBODY, count=count, per_s=count / seconds,
             failed_share=None, p50_s=None, p95_s=None)
        for (service, event_type), count in sorted(published.items()) if (service, event_type) not in known
    ]  # fmt: skip
    rates: dict[str, float] = defaultdict(float)
    for (service, _), count in published.items():
        rates[service] += count / seconds
    return FlowMap(_boxes(links, rates), tuple(links), dict(hops))


def focused(flow: FlowMap, name: str) -> FlowMap:
    """Only what has to do with one service or one event type."""
    links = tuple(link for link in flow.links if name in (link.publisher, link.consumer, link.event_type))
    names = {name for link in links for name in (link.publisher, link.consumer)}
    return FlowMap(tuple(box for box in flow.boxes if box.name in names), links, flow.hops)


def blast_radius(flow: FlowMap, service: str, processes: Sequence[Process]) -> Blast:
    """What stops when `service` publishes nothing any more. `processes` come with their steps."""
    types = {link.event_type for link in flow.links if link.publisher == service}
    others = {link.event_type for link in flow.links if link.publisher != service}
    own = types - others
    causes: dict[str, set[str]] = defaultdict(set)
    for cause, effect in flow.hops:
        causes[effect].add(cause)
    gone = set(own)
    # An event type stops when everything that was ever seen to cause it has stopped.
    while more := {effect for effect, all_of in causes.items() if effect not in gone and all_of <= gone}:
        gone |= more
    behind = {
        link.consumer for link in flow.links if link.event_type in gone and link.consumer not in ("", service)
    }
    hits = []
    for process in processes:
        way = [
            process.start_type,
            *(step.event_type for step in process.steps.all() if step.role in ("step", "end")),
        ]
        stops_at = next((name for name in way if name in gone), None)
        if stops_at:
            hits.append(Hit(process.pk, process.name, stops_at))
    return Blast(tuple(sorted(own)), tuple(sorted(gone - own)), tuple(sorted(behind)), tuple(hits))


def _link(
    key: tuple[str, str, str], deliveries: Sequence[Edge], effects: Sequence[Edge], seconds: float
) -> Link:
    """Deliveries tell it exactly; without any, the events that followed do."""
    told = deliveries or effects
    count = sum(way.count for way in told)
    buckets, counts = merge((way.buckets, way.counts) for way in told)
    return Link(
        publisher=key[0],
        event_type=key[1],
        consumer=key[2],
        count=count,
        per_s=count / seconds,
        failed_share=sum(way.failed for way in deliveries) / count if deliveries and count else None,
        p50_s=percentile(buckets, counts, 0.5),
        p95_s=percentile(buckets, counts, 0.95),
    )


def _boxes(links: Sequence[Link], rates: Mapping[str, float]) -> tuple[Box, ...]:
    """Services from left to right: one stands behind those that it only consumes from; circles are cut by rate."""
    names = sorted({name for link in links for name in (link.publisher, link.consumer) if name})
    weight: dict[tuple[str, str], float] = defaultdict(float)
    for link in links:
        if link.publisher and link.consumer and link.publisher != link.consumer:
            weight[link.publisher, link.consumer] += link.count
    column = dict.fromkeys(names, 0)
    forward = [
        (a, b) for (a, b), count in weight.items() if (count, a < b) > (weight.get((b, a), 0.0), False)
    ]
    for _ in range(min(len(names), 12)):
        for a, b in forward:
            if column[b] <= column[a] < 6:
                column[b] = column[a] + 1
    used = {number: place for place, number in enumerate(sorted(set(column.values())))}
    rows: dict[int, int] = defaultdict(int)
    boxes = []
    for name in sorted(names, key=lambda one: (-rates.get(one, 0.0), one)):
        place = used[column[name]]
        boxes.append(Box(name, place, rows[place], rates.get(name, 0.0)))
        rows[place] += 1
    return tuple(boxes)
