"""A trace as a sequence diagram and as a graph of its event types. Pure: what the templates and the page draw."""

from collections import defaultdict
from typing import Any

import msgspec

from eventhub.pages.formats import duration, short_id
from eventhub.pages.hues import hue_of
from eventhub.traces.assemble import Step, Trace

# Services drawn as lanes, and messages drawn as arrows; of longer traces the page says what was left out.
MOST_LANES = 24
MOST_MESSAGES = 400
LANE, HEAD, LINE = 170, 44, 34


class Lane(msgspec.Struct, frozen=True):
    """A service's line of life."""

    service: str
    x: int


class Arrow(msgspec.Struct, frozen=True):
    """An event on its way from the publisher of its cause to its own."""

    step: Step
    # What is written over it: the cause that was reacted to stands in the tooltip.
    label: str
    left: int
    right: int
    y: int
    # "right", "left", or "self" where a service reacts to itself or to nothing known.
    direction: str
    text_x: int
    hop: str


class Sequence(msgspec.Struct, frozen=True):
    """The diagram; all numbers in pixels of an SVG of `width` × `height`."""

    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    left_out: int


def sequence_of(trace: Trace) -> Sequence:
    """The diagram of a trace, in the order of time."""
    services = [*trace.services[:MOST_LANES]]
    x = {service: LANE // 2 + number * LANE for number, service in enumerate(services)}
    steps = [s for s in sorted(trace.steps, key=lambda one: (one.at, one.index)) if (s.service or "") in x]
    arrows = []
    for number, step in enumerate(steps[:MOST_MESSAGES]):
        cause = trace.steps[step.cause] if step.cause is not None else None
        to = x[step.service or ""]
        start = x.get(cause.service or "", to) if cause else to
        direction = "self" if start == to else "right" if to > start else "left"
        arrows.append(
            Arrow(
                step=step,
                label=step.event_type,
                left=min(start, to),
                right=max(start, to),
                y=HEAD + 28 + number * LINE,
                direction=direction,
                text_x=to + 12 if direction == "self" else (start + to) // 2,
                hop=duration(step.hop_s) if step.hop_s is not None else "",
            )
        )
    return Sequence(
        lanes=tuple(Lane(service, x[service]) for service in services),
        arrows=tuple(arrows),
        width=max(1, len(services)) * LANE + 60,
        height=HEAD + 28 + len(arrows) * LINE,
        left_out=len(trace.steps) - len(arrows),
    )


def graph_of(trace: Trace) -> dict[str, Any]:
    """Event types as nodes, what caused what as edges with how often and how long; for static/js/flow-map.js."""
    depth: dict[str, int] = {}
    times: dict[str, int] = defaultdict(int)
    failed: dict[str, bool] = defaultdict(bool)
    hops: dict[tuple[str, str], list[float]] = defaultdict(list)
    guessed: dict[tuple[str, str], bool] = {}
    for step in trace.steps:
        depth.setdefault(step.event_type, min(step.depth, 12))
        times[step.event_type] += 1
        failed[step.event_type] |= step.failed
        if step.cause is not None:
            hop = (trace.steps[step.cause].event_type, step.event_type)
            hops[hop].append(step.hop_s or 0.0)
            guessed[hop] = guessed.get(hop, True) and step.inferred
    rows: dict[int, int] = defaultdict(int)
    nodes = []
    for name, column in depth.items():
        label = f"{name} ×{times[name]:,}" if times[name] > 1 else name
        nodes.append(
            {"id": name, "label": label, "column": column, "row": rows[column], "failed": failed[name]}
        )
        rows[column] += 1
    return {
        "nodes": nodes,
        "edges": [
            {
                "id": str(number),
                "source": cause,
                "target": effect,
                "type": effect,
                "label": duration(sorted(took)[len(took) // 2]),
                "per_s": len(took),
                "state": "broken" if failed[effect] else "unknown",
                "hue": hue_of(effect),
                "inferred": guessed[cause, effect],
                "said": f"{cause} → {effect}: {len(took):,}×",
            }
            for number, ((cause, effect), took) in enumerate(hops.items())
        ],
    }


def name_of(trace: Trace) -> str:
    """For the name of a downloaded file."""
    kept = "".join(
        char if char.isalnum() or char in "-_" else "-" for char in short_id(trace.correlation_id, 20, 8)
    )
    return f"trace-{kept.strip('-') or 'without-name'}"
