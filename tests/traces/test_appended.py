from collections import Counter

import pytest

from eventhub.sourcing.appending import New, append
from eventhub.traces.flow import learning
from monitoring.rollups.models import Rollup
from tests.traces.building import event, store

pytestmark = pytest.mark.django_db(transaction=True)


def totals():
    found = Counter()
    for row in Rollup.objects.filter(origin_id=None):
        found[row.event_type, row.service] += row.received
        assert sum(row.arrival_counts) == row.received
        assert row.size_bytes > 0
    return found


def test_what_is_appended_to_streams_is_counted_once():
    append("cart-1", [New("cart.opened"), New("cart.filled", {"sku": "A"})], source="shop")
    append("cart-2", New("cart.opened"), source="shop")
    learning.learn()
    learning.learn()
    assert totals() == {("cart.opened", "shop"): 2, ("cart.filled", "shop"): 1}
    append("cart-1", New("cart.opened"))
    learning.learn()
    assert totals() == {("cart.opened", "shop"): 2, ("cart.filled", "shop"): 1, ("cart.opened", ""): 1}


def test_what_a_source_brought_is_not_counted_again():
    store(event("e-1", "order.placed", origin_id=1), txid=10)
    assert learning.learn() == 1
    assert totals() == {}
