"""How long things usually take, to say which hop of a trace was slow."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.core.cache import cache
from django.db import connection

from eventhub.traces.assemble import Trace
from eventhub.traces.waterfall import Slowness

# Of each type so many of the latest events are looked at.
SAMPLE = 120
# Fewer hops than this say nothing.
LEAST = 20
# What counts as slow: so many times the 95th percentile, and long enough for a person to care.
SLOW_FACTOR = 2.0
SLOW_S = 0.05
MOST_TYPES = 40
CACHED_S = 60

Hop = tuple[str, str]


def slow_steps(trace: Trace) -> dict[int, Slowness]:
    """The steps (by index) that came much later after their cause than others of the same kind do."""
    hops = {
        step.index: (trace.steps[step.cause].event_type, step.event_type)
        for step in trace.steps
        if step.cause is not None and step.hop_s is not None and step.hop_s >= SLOW_S
    }
    usual = usual_hops({event_type for _, event_type in hops.values()})
    found: dict[int, Slowness] = {}
    for index, hop in hops.items():
        p95_s, hop_s = usual.get(hop), trace.steps[index].hop_s or 0.0
        if p95_s is not None and hop_s >= SLOW_FACTOR * max(p95_s, 0.001):
            found[index] = Slowness(hop_s / max(p95_s, 0.001), p95_s)
    return found


def usual_hops(event_types: Iterable[str]) -> dict[Hop, float]:
    """95th percentiles in seconds of cause → event, for events of these types; remembered for a minute."""
    wanted = sorted(set(event_types))[:MOST_TYPES]
    keys = {f"traces.pace:{event_type.encode().hex()[:180]}": event_type for event_type in wanted}
    known: dict[str, dict[Hop, float]] = cache.get_many(list(keys))
    missing = [event_type for key, event_type in keys.items() if key not in known]
    if missing:
        measured = _measure(missing)
        fresh = {
            key: {hop: p95 for hop, p95 in measured.items() if hop[1] == event_type}
            for key, event_type in keys.items()
            if event_type in missing
        }
        cache.set_many(fresh, CACHED_S)
        known.update(fresh)
    return {hop: p95 for hops in known.values() for hop, p95 in hops.items()}


def _measure(event_types: Sequence[str]) -> dict[Hop, float]:
    # Index events_event_type for the sample, events_event_once for each cause; the bounds on its time leave two or
    # three of its partitions to look into.
    sql = """
        SELECT cause.event_type, effect.event_type, effect.occurred_at - cause.occurred_at
        FROM unnest(%s::text[]) AS wanted(type)
        CROSS JOIN LATERAL (
            SELECT event_type, causation_id, occurred_at FROM events_event
            WHERE event_type = wanted.type ORDER BY occurred_at DESC LIMIT %s
        ) AS effect
        CROSS JOIN LATERAL (
            SELECT event_type, occurred_at FROM events_event
            WHERE event_id = effect.causation_id
                AND occurred_at BETWEEN effect.occurred_at - interval '1 day' AND effect.occurred_at
            LIMIT 1
        ) AS cause"""
    hops: dict[Hop, list[timedelta]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(event_types), SAMPLE])
        for cause, effect, took in cursor:
            hops[cause, effect].append(took)
    return {hop: _p95(times) for hop, times in hops.items() if len(times) >= LEAST}


def _p95(times: list[timedelta]) -> float:
    times.sort()
    return times[math.ceil(0.95 * len(times)) - 1].total_seconds()
