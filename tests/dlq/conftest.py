from typing import Any

import pytest

from eventhub.brokers.models import Kind, Role, Source


@pytest.fixture
def shop(db: Any) -> Source:
    return Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["shop.orders"]})


@pytest.fixture
def shop_dead_letters(db: Any) -> Source:
    return Source.objects.create(
        name="shop-dead-letters",
        kind=Kind.REDIS,
        role=Role.DEAD_LETTERS,
        config={"streams": ["shop.dead-letters"]},
    )
