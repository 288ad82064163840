"""RabbitMQ: worker killed, broker restarted, PostgreSQL restarted; each event is one row, and none stays behind."""

import pytest

from tests.chaos.exactly_once import run, run_long
from tests.chaos.rabbitmq_in_chaos import RabbitmqInChaos


@pytest.mark.chaos
@pytest.mark.parametrize("queue_type", ["quorum", "classic"])
def test_a_million_events_become_a_million_rows_whatever_is_killed(own_rabbitmq, queue_type):
    queue = RabbitmqInChaos(own_rabbitmq, queue_type)
    story = run_long(queue)
    print(story)
    story.assert_exactly_once()
    assert queue.left() == 0


@pytest.mark.parametrize("queue_type", ["quorum", "stream"])
def test_twenty_thousand_events_become_as_many_rows_whatever_is_killed(own_rabbitmq, queue_type):
    queue = RabbitmqInChaos(own_rabbitmq, queue_type)
    story = run(queue, events=20_000, kills=3, batch_size=250, alive_s=0.1)
    print(story)
    story.assert_exactly_once()
    assert queue_type == "stream" or queue.left() == 0
