"""The storm in short; the long one is in tests/chaos."""

import time

import pytest

from tests.handlers import storm as storms

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = 1_000
KILLS = 6


def test_5_000_deliveries_with_killed_workers_and_a_flushed_redis_take_effect_exactly_once(tmp_path):
    undo = storms.set_up()
    storm = storms.Storm(tmp_path, EVENTS)
    try:
        storm.start()
        storm.pour(0, EVENTS // 2)
        storm.wait_for(lambda: storms.waiting() < EVENTS * 5 // 2, 60)
        storm.pour(EVENTS // 2, EVENTS - EVENTS // 2)
        for kill in range(KILLS):
            storm.wait_for(lambda: storms.in_hand() > 0 or not storms.waiting(), 30)
            storm.kill_something()
            if kill == KILLS // 2:
                storm.flush_redis()
            time.sleep(0.2)
        storm.wait_for(lambda: storm.tend() and not storms.waiting(), 90)
        storm.check()
        assert storm.mid_work, "no kill hit a delivery in hand; the test showed nothing"
    finally:
        storm.stop()
        undo()
