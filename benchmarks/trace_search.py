"""How fast traces are found in a store of twenty million events, beside one of a million.

`BENCH_EVENTS` sets the size of the large store and `BENCH_BASE_EVENTS` that of the small one. Both have the same days.
With `BENCH_STAGES` each store stays in a folder of its own there, and the next run begins with it, also where the
making of it was cut off.
"""

import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import stage, stores
from benchmarks.record import record

EVENTS = int(os.environ.get("BENCH_EVENTS", "20000000"))
BASE_EVENTS = int(os.environ.get("BENCH_BASE_EVENTS", "1000000"))
TRACE_GOAL_MS, ATTRIBUTE_GOAL_MS, ERRORS_GOAL_MS, GROWTH_GOAL = 20.0, 200.0, 300.0, 1.5
ROUNDS = 400
SEARCHES = 25
# Below this both stores answer at once, and the ratio of two such times says nothing about growth.
SHOWN = 10


class Measured(msgspec.Struct):
    """Milliseconds of each search over one store."""

    trace: list[float]
    giant: list[float]
    attribute: list[float]
    pair: list[float]
    errors: list[float]
    absence: list[float]

    def print(self, label: str) -> None:
        """One line a search."""
        for name, times in msgspec.structs.asdict(self).items():
            print(
                f"{label:>12} {name:<10} median {statistics.median(times):7.2f} ms   p99 {_p(times, 0.99):7.2f} ms",
                flush=True,
            )


def run() -> bool:
    """Measure both stores; five lines of the record."""
    small, large = _measured(BASE_EVENTS), _measured(EVENTS)
    size = f"{EVENTS:,} events"
    growth = {
        name: statistics.median(getattr(large, name)) / statistics.median(getattr(small, name))
        for name in ("trace", "attribute", "errors")
    }
    print("growth: " + ", ".join(f"{name} × {ratio:.2f}" for name, ratio in growth.items()), flush=True)
    results = [
        record(
            "trace-by-id", value=_p(large.trace, 0.99), unit="ms (p99)", reference=f"what it may take in {size}",
            reference_value=TRACE_GOAL_MS, goal=1.0, better="lower",
        ),
        record(
            "trace-search", value=_p(large.attribute, 0.99), unit="ms (p99, by attribute)",
            reference=f"what it may take in {size}", reference_value=ATTRIBUTE_GOAL_MS, goal=1.0, better="lower",
        ),
        record(
            "trace-search", value=_p(large.errors, 0.99), unit="ms (p99, type + time + error)",
            reference=f"what it may take in {size}", reference_value=ERRORS_GOAL_MS, goal=1.0, better="lower",
        ),
        record(
            "trace-growth", value=max(growth.values()), unit=f"× the cost at {BASE_EVENTS:,} (the worst of the three)",
            reference="no growth", reference_value=1.0, goal=GROWTH_GOAL, better="lower",
        ),
    ]  # fmt: skip
    return all(results)


def _measured(events: int) -> Measured:
    """Measure a store in a process of its own, so that each has its own servers."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([sys.executable, "-m", "benchmarks.trace_search", str(events), file.name], check=True)
        return msgspec.json.decode(file.read(), type=Measured)


def main(events: int, result: Path) -> None:
    """Make the store, or take the one that was kept, measure it, and write what was measured."""
    folder = os.environ.get("BENCH_STAGES")
    with stage.services(Path(folder).resolve() / f"traces-{events}" if folder else None) as place:
        measured = _measure(stores.built(place, events))
        measured.print(f"{events:,}")
    result.write_bytes(msgspec.json.encode(measured))


def _measure(store: stores.Store) -> Measured:
    from eventhub.events import queries
    from eventhub.traces.query import Absence, TraceQuery
    from eventhub.traces.search import search

    choice = random.Random(6)
    traces, now = store.traces, store.until

    def by_id(trace: int) -> None:
        if not queries.events_by_correlation(stores.correlation_id(trace), 20_001):
            raise AssertionError(f"trace {trace} is not there")

    def found(query: TraceQuery) -> None:
        hits = search(query, now=now, limit=SHOWN)
        if not hits.found:
            raise AssertionError(f"nothing was found for {query}")

    warm = [choice.randrange(1, traces) for _ in range(50)]
    _times([partial(by_id, trace) for trace in warm])
    ordinary = [choice.randrange(1, traces) for _ in range(ROUNDS)]
    trace = _times([partial(by_id, trace) for trace in ordinary])
    giant = _times([partial(by_id, 7)] * 5)
    numbers = [choice.randrange(1, traces) for _ in range(SEARCHES)]
    attribute = _times(
        [partial(found, TraceQuery(attributes=(("order_id", str(n)),))) for n in (*numbers[:3], *numbers)]
    )[3:]
    pair = _times(
        [
            partial(found, TraceQuery(attributes=(("customer_id", f"c-{n % 50000}"), ("order_id", str(n)))))
            for n in numbers
        ]
    )
    ranges = [_hours(choice, now) for _ in range(SEARCHES)]
    errors = _times(
        [
            partial(found, TraceQuery(event_type="inventory.reserved", state="trouble", start=s, end=e))
            for s, e in (*ranges[:3], *ranges)
        ]
    )[3:]
    gone = Absence("order.placed", "payment.authorized", 30.0)
    absence_times = _times([partial(found, TraceQuery(absence=gone, start=s, end=e)) for s, e in ranges])
    return Measured(
        trace=trace, giant=giant, attribute=attribute, pair=pair, errors=errors, absence=absence_times
    )


def _hours(choice: random.Random, now: datetime) -> tuple[datetime, datetime]:
    start = now - timedelta(days=choice.uniform(2, stores.DAYS - 1))
    return start, start + timedelta(hours=12)


def _times(tasks: list[Callable[[], None]]) -> list[float]:
    times = []
    for task in tasks:
        started = time.perf_counter()
        task()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _p(times: list[float], q: float) -> float:
    return sorted(times)[max(0, math.ceil(q * len(times)) - 1)]


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
