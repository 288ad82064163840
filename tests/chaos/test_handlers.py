"""Half a million deliveries while workers are killed and Redis is emptied: every effect exactly once.

STORM_EVENTS=20000 makes it a fifth of that, for a machine that has other things to do.
"""

import os
import random
import time

import pytest

from tests.handlers import storm as storms
from tests.handlers.storm_handlers import NAMES

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]

EVENTS = int(os.environ.get("STORM_EVENTS", "100000"))
DELIVERIES = EVENTS * len(NAMES)
PART = 5_000
# More is poured when less than this waits, so that kills hit a system that is busy from the first to the last.
MOST_WAITING = 60_000
# A worker takes seconds to start: killed more often than this, a busy machine does little else than start them.
KILL_EVERY_S = (8.0, 24.0)
WORKERS = 3
# Looking takes a walk over the table: not so often that the test itself is what keeps the machine busy.
LOOK_EVERY_S = 1.0
TIMEOUT_S = 3 * 3600


def test_half_a_million_deliveries_take_effect_exactly_once(tmp_path):
    undo = storms.set_up()
    storm = storms.Storm(tmp_path, EVENTS, WORKERS)
    choice = random.Random()
    began = time.monotonic()
    poured, flushes = 0, 0
    kill_at = began + 10
    try:
        storm.start()
        while (waiting := storms.waiting()) or poured < EVENTS:
            assert time.monotonic() - began < TIMEOUT_S, f"in vain: {storms.progress()}"
            if poured < EVENTS and waiting < MOST_WAITING:
                storm.pour(poured, PART)
                poured += PART
            if flushes < 2 and poured >= EVENTS * (flushes + 1) // 3:
                storm.flush_redis()
                flushes += 1
            # The last of them are left in peace, or the test would have no end.
            if time.monotonic() > kill_at and (poured < EVENTS or waiting > 2_000):
                storm.kill_something()
                kill_at = time.monotonic() + choice.uniform(*KILL_EVERY_S)
            storm.tend()
            time.sleep(LOOK_EVERY_S)
        seconds = time.monotonic() - began
        storm.check()
    finally:
        storm.stop()
        undo()

    assert flushes == 2
    assert storm.mid_work > 10, "hardly a kill hit a delivery in hand; the test showed nothing"
    lost = storms.query("SELECT count(*) FROM handlers_attempt WHERE outcome = 'lost'")[0][0]
    attempts = storms.query("SELECT outcome, count(*) FROM handlers_attempt GROUP BY 1 ORDER BY 1")
    assert lost, "no worker was lost with a delivery in hand"
    print(
        f"{DELIVERIES:,} deliveries in {seconds:,.0f} s ({DELIVERIES / seconds:,.0f}/s), {storm.kills} kills "
        f"({storm.mid_work} with deliveries in hand), Redis emptied {flushes} times; attempts: "
        + ", ".join(f"{count:,} {outcome}" for outcome, count in attempts)
    )
