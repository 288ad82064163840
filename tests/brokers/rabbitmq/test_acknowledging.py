from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.rabbitmq.acknowledging import Due, Outstanding


class Broker:
    """A channel's deliveries, as the broker keeps account of them."""

    def __init__(self, delivered):
        self.unacknowledged = set(range(1, delivered + 1))

    def hear(self, due):
        if due.up_to is not None:
            self.acknowledge({tag for tag in self.unacknowledged if tag <= due.up_to})
        for tag in due.single:
            self.acknowledge({tag} & self.unacknowledged)

    def acknowledge(self, tags):
        assert tags, "an acknowledgement of what is acknowledged closes the channel"
        self.unacknowledged -= tags


@given(st.lists(st.sets(st.integers(1, 40), max_size=12), max_size=12))
def test_what_is_done_is_acknowledged_once_and_nothing_else(batches):
    outstanding, broker, done = Outstanding(), Broker(40), set()
    for batch in batches:
        due = outstanding.done(batch)
        done |= batch
        broker.hear(due)
        assert broker.unacknowledged == set(range(1, 41)) - done
        assert all(tag <= outstanding.done_up_to for tag in range(1, outstanding.done_up_to + 1))


def test_a_batch_is_one_acknowledgement():
    outstanding = Outstanding()
    assert outstanding.done(range(1, 5001)) == Due(5000, [])
    assert outstanding.done(range(5001, 5003)) == Due(5002, [])


def test_a_batch_that_is_done_before_an_earlier_one_does_not_take_it_along():
    outstanding = Outstanding()
    assert outstanding.done([3, 4]) == Due(None, [3, 4])
    assert outstanding.done([1, 2]) == Due(4, [])
