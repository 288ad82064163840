import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dlq import attributes, intake, listing
from dlq.attributes import BadAttribute, digests_of, read_attribute
from dlq.filter import Filter
from eventhub.brokers.models import Source
from tests.dlq.letters import broken, dead_message, service_failure


@pytest.fixture
def five(shop_dead_letters: Source, shop: Source) -> None:
    def of(n: int) -> bytes:
        body = json.loads(dead_message(n).body)
        body["data"] = {"order_id": 8400 + n, "items": [{"sku": f"A-{n}"}, {"sku": "B"}], "gift": n == 2}
        return json.dumps(body).encode()

    with transaction.atomic():
        intake.record(shop_dead_letters, [service_failure(n, body=of(n)) for n in (1, 2, 3)])
        intake.record(shop, [broken(n, failed_at=timezone.now() - timedelta(days=2)) for n in (4, 5)])


def found(**wanted: Any) -> list[int]:
    return sorted(int(letter.offset.split("-")[0]) for letter in listing.letters(Filter(**wanted), 50))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"attribute": "data.order_id = 8402"}, [2]),
        ({"attribute": "order_id=8402"}, [2]),
        ({"attribute": 'data.items[].sku = "A-3"'}, [3]),
        ({"attribute": "data.items[1].sku = B"}, [1, 2, 3]),
        ({"attribute": "data.gift = true"}, [2]),
        ({"attribute": "data.order_id = 1"}, []),
        ({"attribute": "no equals sign"}, []),
        ({"topic": "shop.orders"}, [1, 2, 3, 4, 5]),
        ({"topic": "shop.dead-letters"}, [1, 2, 3]),
        ({"failed_in": "shipping"}, [1, 2, 3]),
        ({"error_class": "NotAnEvent"}, [4, 5]),
        ({"until": timezone.now() - timedelta(days=1), "source": "shop"}, [4, 5]),
        ({"since": timezone.now() - timedelta(days=1), "source": "shop"}, []),
        ({"correlation_id": "order-2"}, [2]),
        ({"q": "carrier.py"}, [1, 2, 3]),
        ({"q": "evt-3"}, [3]),
        ({"attribute": "data.order_id = 8402", "status": "discarded"}, []),
    ],
)
def test_letters_are_found_by(five: None, wanted: dict[str, Any], numbers: list[int]) -> None:
    assert found(**wanted) == numbers


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"attribute": "data.order_id = 8402"}, 1),
        ({"topic": "shop.dead-letters"}, 1),
        ({"topic": "shop.orders"}, 2),
        ({"error_class": "NotAnEvent"}, 1),
        ({"q": "runpy"}, 1),
        ({"since": timezone.now() - timedelta(days=400), "failed_in": "shipping"}, 1),
    ],
)
def test_groups_are_found_by(five: None, wanted: dict[str, Any], count: int) -> None:
    assert len(listing.groups(Filter(status="open", **wanted), 50)) == count


def test_a_body_that_is_no_event_is_found_by_what_it_holds(shop: Source) -> None:
    with transaction.atomic():
        intake.record(
            shop,
            [
                broken(1, body=b'{"event_type": "order.paid", "timestamp": "noon", "data": {"order_id": 7}}'),
                broken(2, body=b'{"order": {"id": 7}}'),
            ],
        )
    assert found(attribute="data.order_id = 7") == [1]
    assert found(attribute="data.order.id = 7") == [2]


PLAIN = st.one_of(
    st.text(max_size=20),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.text(alphabet="abc_é", min_size=1, max_size=8), PLAIN)
def test_every_plain_value_is_found_by_what_a_person_reads(name: str, value: Any) -> None:
    kept = digests_of(json.dumps({name: value}))
    [(path, text)] = attributes.plain_values(json.loads(json.dumps({name: value})))
    assert kept is not None
    assert set(attributes.Attribute(path, text).digests) & set(kept)


@given(st.binary(max_size=200))
def test_no_body_breaks_the_search_for_values(body: bytes) -> None:
    digests_of(body)


@given(
    st.recursive(
        PLAIN, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner)
    )
)
def test_what_is_kept_is_bounded(value: Any) -> None:
    assert len(digests_of(json.dumps(value)) or []) <= attributes.MOST_VALUES


def test_how_to_ask_is_said() -> None:
    with pytest.raises(BadAttribute, match=r"data\.order_id = 8412"):
        read_attribute("order 8412")
    assert read_attribute("$.data.a[3].b == 'x y'") == attributes.Attribute("data.a[].b", "x y")
