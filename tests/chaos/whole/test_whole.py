"""The whole product under load while everything fails in turn: nothing lost, nothing doubled, nobody had to help.

CHAOS_FAULTS="kafka-down,redis-frozen" plays only those; CHAOS_LOAD=2 sends twice as much.
"""

import os
import time
from collections.abc import Iterator

import pytest

from tests.chaos.whole import report
from tests.chaos.whole.faults import FAULTS, Fault
from tests.chaos.whole.installation import LOAD, PER_S, Installation, installation
from tests.chaos.whole.playing import Outcome, play

pytestmark = pytest.mark.chaos
CHOSEN = {name for name in os.environ.get("CHAOS_FAULTS", "").split(",") if name}
WANTED = [fault for fault in FAULTS if not CHOSEN or fault.part in CHOSEN]


@pytest.fixture(scope="module")
def hub() -> Iterator[Installation]:
    with installation() as hub:
        yield hub


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """Written into docs/reliability.md when all of them were played and survived."""
    began, played = time.monotonic(), list[Outcome]()
    yield played
    for line in report.table(played, f"{len(played)} of {len(FAULTS)} faults survived"):
        print(line)
    if len(played) == len(FAULTS):
        minutes = (time.monotonic() - began) / 60
        events = sum(one.events for one in played)
        caption = (
            f"{len(played)} faults in {minutes:.0f} minutes on {os.cpu_count()} cores, under "
            f"{sum(PER_S.values()) * LOAD:.0f} events a second over {len(PER_S)} sources, {events:,} in all:"
        )
        report.write("faults", report.table(played, caption))


@pytest.mark.parametrize("fault", WANTED, ids=lambda fault: fault.part)
def test_it_survives(hub: Installation, outcomes: list[Outcome], fault: Fault) -> None:
    if fault.needs_disk and hub.disk is None:
        pytest.skip("a small disk cannot be mounted here (mount -t tmpfs needs root): it is not filled")
    outcome = play(hub, fault)
    print(report.table([outcome], fault.name)[-1])
    outcome.assert_survived()
    outcomes.append(outcome)
