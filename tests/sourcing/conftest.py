"""What tests of streams share: a bank, events, and declarations that are gone after the test."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from eventhub.schemas.upcasting import code as upcasting
from eventhub.sourcing import aggregates
from eventhub.sourcing.appending import New


@pytest.fixture(autouse=True)
def _forget_declarations() -> Iterator[None]:
    before, steps = dict(aggregates._by_category), dict(upcasting._steps)
    yield
    aggregates._by_category.clear()
    aggregates._by_category.update(before)
    upcasting._steps.clear()
    upcasting._steps.update(steps)


@pytest.fixture
def accounts():
    @aggregates.aggregate("account", snapshot_every=4)
    @dataclass
    class Account:
        balance: int = 0
        applied: int = 0

        def apply(self, event):
            self.applied += 1
            self.balance += event.value["amount"]

        def move(self, amount: int) -> New:
            return New("account.moved", {"amount": amount})

    return aggregates.of(Account)
