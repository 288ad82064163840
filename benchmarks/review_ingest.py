"""What the flow review takes from ingest: events a second of one worker with the review running, and without.

The two take turns, several times, so that a machine that slows down does so for both.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks import stage
from benchmarks.record import record

EVENTS = int(os.environ.get("BENCH_REVIEW_INGEST_EVENTS", "300000"))
ROUNDS = 3
GOAL = 0.95
# More often than in production, where it is every 15 seconds, so that each round has several.
EVERY_S = 5
REVIEW = f"""
import time
import django
django.setup()
from monitoring.review import running
while True:
    running.run(settle_s=0)
    time.sleep({EVERY_S})
"""


def run() -> bool:
    """The medians of the rounds, with and without."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with stage.services() as folder:
        stage.declare_schema()
        messages = list(stage.bodies(EVENTS))
        for number in range(ROUNDS):
            for is_reviewed in (False, True) if number % 2 == 0 else (True, False):
                rates[is_reviewed].append(
                    _rate(messages, folder, f"{number}{is_reviewed}", is_reviewed=is_reviewed)
                )
                print(
                    f"{'with' if is_reviewed else 'without'} review: {rates[is_reviewed][-1]:,.0f}/s",
                    flush=True,
                )
    return record(
        "review-ingest",
        value=statistics.median(rates[True]),
        unit="events/s with the review running",
        reference="the same without",
        reference_value=statistics.median(rates[False]),
        goal=GOAL,
        better="higher",
    )


def _rate(messages: list[bytes], folder: Path, name: str, *, is_reviewed: bool) -> float:
    from eventhub.brokers.models import Kind, Source
    from monitoring.review.models import Count, Finding, ReviewProgress, StreamState

    stage.forget_events()
    for model in (Count, Finding, ReviewProgress, StreamState):
        model.objects.all().delete()
    stream = f"{stage.STREAM}.{name}"
    stage.fill(stream, messages)
    source = Source.objects.create(name=f"bench-{name}", kind=Kind.REDIS, config={"streams": [stream]})
    with _review(folder) if is_reviewed else nullcontext():
        rate = stage.ingest_rate(source, folder, [f"bench{name}"], len(messages), timeout_s=300)
    if is_reviewed and not ReviewProgress.objects.filter(looked_at__gt=len(messages) / 10).exists():
        raise AssertionError("the review read next to nothing meanwhile")
    Source.objects.filter(pk=source.pk).update(enabled=False)
    return rate


@contextmanager
def _review(folder: Path) -> Iterator[None]:
    with (folder / "review.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", REVIEW], cwd=stage.ROOT, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
