"""SQS: worker killed, broker restarted, PostgreSQL restarted; each event becomes one row, and none stays behind."""

import pytest

from tests.chaos.exactly_once import run
from tests.chaos.sqs_in_chaos import SqsInChaos


@pytest.mark.chaos
def test_fifty_thousand_events_become_as_many_rows_whatever_is_killed(own_sqs):
    queue = SqsInChaos(own_sqs)
    story = run(queue, events=50_000, kills=10, batch_size=500, alive_s=1.0, slowest_per_s=100)
    print(story)
    story.assert_exactly_once()
    assert queue.left() == 0


def test_three_thousand_events_become_as_many_rows_whatever_is_killed(own_sqs):
    queue = SqsInChaos(own_sqs)
    story = run(queue, events=3_000, kills=2, batch_size=50, alive_s=0.1, slowest_per_s=20)
    print(story)
    story.assert_exactly_once()
    assert queue.left() == 0
