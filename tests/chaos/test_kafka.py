"""Kafka: worker killed, broker restarted, PostgreSQL restarted; each event becomes one row."""

import pytest

from tests.chaos.exactly_once import run, run_long
from tests.chaos.kafka_in_chaos import KafkaInChaos


@pytest.mark.chaos
def test_a_million_events_become_a_million_rows_whatever_is_killed(own_kafka):
    story = run_long(KafkaInChaos(own_kafka))
    print(story)
    story.assert_exactly_once()


def test_twenty_thousand_events_become_as_many_rows_whatever_is_killed(own_kafka):
    story = run(KafkaInChaos(own_kafka), events=20_000, kills=3, batch_size=250, alive_s=0.1)
    print(story)
    story.assert_exactly_once()
