from datetime import timedelta

import pytest

from eventhub.traces.assemble import assemble
from eventhub.traces.flow import learning
from eventhub.traces.flow.figures import edges, usual_of
from eventhub.traces.pace import slow_steps
from tests.traces.building import START, event, order, store

pytestmark = pytest.mark.django_db


def late_order():
    return [
        event("slow-placed", "order.placed", 0, correlation_id="slow"),
        event("slow-paid", "payment.captured", 20, correlation_id="slow", causation_id="slow-placed"),
    ]


def learn(*events):
    """Have the learner read these, as the log's settled past; what it then calls usual."""
    store(*events, txid=10)
    learning.learn()
    return usual_of(edges(START - timedelta(days=1), START + timedelta(days=1)))


def test_a_hop_far_beyond_what_such_hops_take_is_slow():
    usual = learn(*(one for number in range(30) for one in order(number, number * 10)), *late_order())
    trace = assemble("slow", late_order(), now=START + timedelta(hours=1))
    slow = slow_steps(trace, usual)
    assert list(slow) == [1]
    assert slow[1].words == "×20 of p95"


def test_usual_hops_are_not_slow():
    usual = learn(*(one for number in range(30) for one in order(number, number * 10)))
    assert slow_steps(assemble("order-1", order(1), now=START), usual) == {}


def test_a_few_hops_are_no_measure():
    usual = learn(*(one for number in range(3) for one in order(number)), *late_order())
    assert slow_steps(assemble("slow", late_order(), now=START), usual) == {}


def test_where_one_in_ten_is_slow_the_median_tells():
    slow = [
        one
        for number in range(100, 104)
        for one in (
            event(f"{number}-placed", "order.placed", 0, correlation_id=f"{number}"),
            event(
                f"{number}-paid",
                "payment.captured",
                9,
                correlation_id=f"{number}",
                causation_id=f"{number}-placed",
            ),
        )
    ]
    usual = learn(*(one for number in range(30) for one in order(number, number * 10)), *slow)
    found = slow_steps(assemble("100", slow[:2], now=START), usual)
    assert found[1].words == "×9 of p50"
