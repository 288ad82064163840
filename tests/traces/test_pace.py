from datetime import timedelta

import pytest

from eventhub.traces.assemble import assemble
from eventhub.traces.pace import slow_steps
from tests.traces.building import START, event, order, store

pytestmark = pytest.mark.django_db


def late_order():
    return [
        event("slow-placed", "order.placed", 0, correlation_id="slow"),
        event("slow-paid", "payment.captured", 20, correlation_id="slow", causation_id="slow-placed"),
    ]


def test_a_hop_far_beyond_what_such_hops_take_is_slow():
    store(*(one for number in range(30) for one in order(number, number * 10)), *late_order())
    trace = assemble("slow", late_order(), now=START + timedelta(hours=1))
    slow = slow_steps(trace)
    assert list(slow) == [1]
    assert slow[1].words == "×20 of p95"


def test_usual_hops_are_not_slow():
    store(*(one for number in range(30) for one in order(number, number * 10)))
    assert slow_steps(assemble("order-1", order(1), now=START)) == {}


def test_a_few_hops_are_no_measure():
    store(*(one for number in range(3) for one in order(number)), *late_order())
    assert slow_steps(assemble("slow", late_order(), now=START)) == {}
