"""What is committed to Kafka, whatever order things happen in: never more than what is stored."""

import pytest
from confluent_kafka import OFFSET_BEGINNING
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.kafka.client import client_settings
from eventhub.brokers.kafka.group import PROMISES, Position

# A log of messages (True) and of what is none (False): control records, what compaction took away, skipped tombstones.
logs = st.lists(st.booleans(), max_size=30)


@given(logs, st.integers(0, 5), st.data())
def test_a_position_never_passes_a_message_that_is_not_stored(log, start, data):
    position = Position(*[start] * 5)
    at = start
    unacknowledged = []
    while at < start + len(log) or unacknowledged:
        reads_on = at < start + len(log) and (not unacknowledged or data.draw(st.booleans()))
        if reads_on:
            # As a poll does: some of the log is seen, and of it the messages are handed out.
            until = data.draw(st.integers(at + 1, start + len(log)))
            batch = [offset for offset in range(at, until) if log[offset - start]]
            position.passed = at = until
            if batch:
                position.handed_out = batch[-1] + 1
                unacknowledged.append(batch)
        else:
            position.acknowledged = max(position.acknowledged, unacknowledged.pop(0)[-1] + 1)
        waiting = [offset for batch in unacknowledged for offset in batch]
        assert position.to_commit() <= min(waiting, default=at)
    # When everything is stored, the position is behind everything that was seen, so that nothing looks like lag.
    assert position.to_commit() == at


def test_where_nothing_was_read_of_an_unknown_beginning_nothing_is_committed():
    position = Position(*[OFFSET_BEGINNING] * 5)
    assert position.to_commit() == OFFSET_BEGINNING
    position.passed = 0  # the end of an empty partition
    assert position.to_commit() == 0


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_what_a_member_promises_cannot_be_changed_by_a_source(name):
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        KafkaConfig(bootstrap_servers="k", topics=["a"], settings={name: "x"})


def test_settings_of_a_source_go_before_the_defaults_and_not_before_its_fields():
    config = KafkaConfig(
        bootstrap_servers="k:1", topics=["a"], settings={"socket.timeout.ms": 5, "client.id": "mine"}
    )
    settings = client_settings(config, "eventhub w1")
    assert (settings["socket.timeout.ms"], settings["client.id"]) == (5, "eventhub w1")
    assert settings["security.protocol"] == "plaintext"
