"""Which hops of a trace were slow, beside what the flow has learned of such hops."""

from collections.abc import Mapping

from eventhub.traces.assemble import Step, Trace
from eventhub.traces.flow.figures import Usual, usual_hops
from eventhub.traces.waterfall import Slowness

# What counts as slow: so many times the 95th percentile, or so many times the median where more than one in twenty
# are slow; and long enough for a person to care.
SLOW_FACTOR = 2.0
SLOW_OF_MEDIAN = 5.0
SLOW_S = 0.05
# Beside the median alone only what is this long: many hops are over at once most of the time.
SLOW_OF_MEDIAN_S = 0.5

Hops = Mapping[tuple[str, str], Usual]


def slow_steps(trace: Trace, usual: Hops | None = None) -> dict[int, Slowness]:
    """The steps (by index) that came much later after their cause than others of the same kind do."""
    hops = usual_hops() if usual is None else usual
    return {
        step.index: slow
        for step in trace.steps
        if (slow := _slowness(step, usual_of_step(trace, step, hops)))
    }


def usual_of_step(trace: Trace, step: Step, hops: Hops) -> Usual | None:
    """How long the hop that led to this step usually takes."""
    return hops.get((trace.steps[step.cause].event_type, step.event_type)) if step.cause is not None else None


def _slowness(step: Step, usual: Usual | None) -> Slowness | None:
    if usual is None or step.inferred or step.hop_s is None or step.hop_s < SLOW_S:
        return None
    p95_s, p50_s = max(usual.p95_s, 0.001), max(usual.p50_s, 0.001)
    if step.hop_s >= SLOW_FACTOR * p95_s:
        return Slowness(step.hop_s / p95_s, usual.p95_s)
    if step.hop_s >= max(SLOW_OF_MEDIAN * p50_s, SLOW_OF_MEDIAN_S):
        return Slowness(step.hop_s / p50_s, usual.p50_s, "p50")
    return None
