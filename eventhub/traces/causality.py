"""Guessing what caused an event that does not say so. A guess is marked, drawn dashed, and never learned from.

What it rests on, the best first: a receipt of the publishing service that it was at work on another event at that
moment; a hop between the two types that other traces name as fact; and in traces where no event names a cause at all,
the order in which things happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it puts traces together with this
    from eventhub.traces.assemble import Node

# How far back a cause is looked for, in events.
REACH = 60
# A receipt says when the work began and ended; events are published within it, give or take this.
LEEWAY = timedelta(milliseconds=50)


def infer(nodes: Sequence[Node], learned: Mapping[tuple[str, str], int]) -> None:
    """Give those that name no cause a guessed one, where there is ground for it. `nodes` are in the order of time."""
    by_order = not any(node.cause_id for node in nodes)
    for place, node in enumerate(nodes):
        if place == 0 or node.cause is not None or node.cause_id or node.circular or node.event is None:
            continue
        earlier = [
            other for other in reversed(nodes[max(0, place - REACH) : place]) if other.event is not None
        ]
        cause = _at_work_on(node, earlier) or _learned(node, earlier, learned)
        if cause is None and by_order and earlier:
            cause = next((other for other in earlier if other.service != node.service), earlier[0])
        if cause is not None and not _descends(cause, node):
            node.cause, node.inferred = cause, True


def _at_work_on(node: Node, earlier: Sequence[Node]) -> Node | None:
    """The latest event that the publisher was processing when it published this one."""
    for other in earlier:
        for delivery in other.deliveries:
            began = delivery.at - timedelta(seconds=delivery.duration_s or 0.0)
            if delivery.service == node.service and began - LEEWAY <= node.at <= delivery.at + LEEWAY:
                return other
    return None


def _learned(node: Node, earlier: Sequence[Node], learned: Mapping[tuple[str, str], int]) -> Node | None:
    """The event of the type that most often causes such events; of several the latest."""
    known = [other for other in earlier if (other.event_type, node.event_type) in learned]
    return max(known, key=lambda other: learned[other.event_type, node.event_type], default=None)


def _descends(node: Node, ancestor: Node) -> bool:
    here: Node | None = node
    while here is not None:
        if here is ancestor:
            return True
        here = here.cause
    return False
