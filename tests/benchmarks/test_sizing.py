"""The figures of docs/scale.md are those of the simulation, and the simulation's are those that were measured."""

import re
from pathlib import Path

import pytest

from benchmarks import sizing

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_has_the_table_of_the_simulation() -> None:
    assert sizing.table() in (DOCS / "scale.md").read_text()


def test_a_day_has_as_many_events_as_it_says_and_its_peak_at_noon() -> None:
    rates = [sizing.rate_at(second, 1_000) for second in range(0, sizing.DAY_S, 60)]
    assert sum(rates) / len(rates) == pytest.approx(1_000, rel=0.01)
    assert max(rates) == pytest.approx(1_000 * sizing.PEAK, rel=0.001)
    assert rates.index(max(rates)) * 60 == sizing.DAY_S // 2


def test_more_workers_drain_sooner_and_too_few_never() -> None:
    assert sizing.drained_after(11_574, 3) > sizing.drained_after(11_574, 4)
    assert sizing.drained_after(1_000_000, 1) == float("inf")


def test_the_rate_of_a_worker_is_the_one_on_the_page_of_measured_figures() -> None:
    measured = re.search(r"`ingest-kafka` \| ([\d,]+) events/s", (DOCS / "performance.md").read_text())
    assert measured
    assert float(measured[1].replace(",", "")) >= sizing.WORKER_PER_S * sizing.HEADROOM
