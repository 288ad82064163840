"""Clocks that disagree: by how much a service's clock must be behind, told by effects that come before their causes.

Only what is drawn is moved, and the page says so; stored times stay what the producers said. Pure.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from eventhub.traces.assemble import Step, Trace

# Less than this is not worth moving anything for.
LEAST_S = 0.001


def corrections(trace: Trace) -> dict[str, float]:
    """Seconds by which each service's events must be drawn later so that none comes before its cause.

    A service's clock is corrected by its worst hop from another service, and no more; circles of services are left
    alone after a few rounds, for then no correction makes all of them right.
    """
    shift: dict[str, float] = {}
    for _ in range(4):
        worst: dict[str, float] = {}
        for step in trace.steps:
            behind = _behind(step, trace, shift)
            if behind > LEAST_S:
                worst[step.service or ""] = max(worst.get(step.service or "", 0.0), behind)
        if not worst:
            break
        for service, seconds in worst.items():
            shift[service] = shift.get(service, 0.0) + seconds
    return shift


def drawn_at(step: Step, shift: Mapping[str, float]) -> datetime:
    """When the step is drawn."""
    return step.at + timedelta(seconds=shift.get(step.service or "", 0.0))


def _behind(step: Step, trace: Trace, shift: Mapping[str, float]) -> float:
    if step.cause is None or step.inferred or not step.service:
        return 0.0
    cause = trace.steps[step.cause]
    if cause.service == step.service:
        return 0.0
    return shift.get(cause.service or "", 0.0) - shift.get(step.service, 0.0) - (step.hop_s or 0.0)
