"""The shop's express orders: a saga over streams, with a listing and a count of each day."""

import importlib
import sys

import pytest
from django.db import connection

from eventhub.demo.purchase import Purchase, as_version_1, as_version_2
from eventhub.handlers import running
from eventhub.sagas import declaring as sagas
from eventhub.sagas import driving, listening
from eventhub.sagas.models import Instance
from eventhub.sourcing import aggregates, time_travel
from eventhub.sourcing.projecting import declaring, rebuilding
from tests.handlers.conftest import Hub, handles, hub, placed  # noqa: F401 - fixtures

NAME = "eventhub.demo.checkout"


@pytest.fixture
def checkout(hub: Hub, handles):  # noqa: F811
    kept = [
        dict(one)
        for one in (sagas._declared, listening._connected, aggregates._by_category, declaring._declared)
    ]
    for one in (sagas._declared, aggregates._by_category, declaring._declared):
        one.clear()
    sys.modules.pop(NAME, None)
    module = importlib.import_module(NAME)
    module.BANK_IS_BUSY = 0.0
    listening.connect()
    yield module
    for one, before in zip(
        (sagas._declared, listening._connected, aggregates._by_category, declaring._declared),
        kept,
        strict=True,
    ):
        one.clear()
        one.update(before)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS projection_express_orders, projection_express_days")


def purchase(order_id):
    address = {
        "name": "Ada",
        "street": "Main Street 1",
        "postcode": "10115",
        "city": "Berlin",
        "country": "DE",
    }
    return Purchase(
        order_id=order_id,
        customer_id="c-1",
        email="ada@example.com",
        items=[],
        total="12.50",
        currency="EUR",
        ship_to=address,
        is_company=False,
        is_new_address=False,
    )


def play(hub: Hub, numbers) -> None:  # noqa: F811
    hub.take(
        *(
            placed(
                n,
                data=(as_version_1 if n % 2 else as_version_2)(purchase(str(n))),
                correlation_id=f"order-{n}",
            )
            for n in numbers
        )
    )
    names = ("begin-express-checkout", "express-carrier", "saga-express-checkout")
    for _ in range(6):
        for name in names:
            while running.run(name):
                pass
        while driving.drive_batch():
            pass


def test_every_fifth_order_goes_by_express_and_ends_delivered_or_undone(checkout, hub):  # noqa: F811
    play(hub, range(8400, 8700))
    states = dict(Instance.objects.values_list("key", "state"))
    assert set(states) == {str(n) for n in range(8400, 8700, 5)}
    assert set(states.values()) == {"completed", "compensated"}
    for key, state in states.items():
        order = aggregates.of(checkout.ExpressOrder).load(key).state
        if state == "completed":
            assert (order.status, order.paid, order.parcel) == ("delivered", True, f"P-{key}")
            assert (order.total, order.customer_id) == ("12.50", "c-1")
        else:
            assert (order.status, order.reserved, order.paid, order.label) == ("cancelled", False, False, "")
    for name in ("express_orders", "express_days"):
        rebuilding.follow(declaring.declared()[name])
    with connection.cursor() as cursor:
        cursor.execute("SELECT order_id, status FROM projection_express_orders")
        assert {key: status == "delivered" for key, status in cursor.fetchall()} == {
            key: state == "completed" for key, state in states.items()
        }
        cursor.execute("SELECT sum(ordered), sum(delivered) FROM projection_express_days")
        assert cursor.fetchone() == (len(states), list(states.values()).count("completed"))


def test_an_express_order_can_be_looked_at_as_it_was(checkout, hub):  # noqa: F811
    play(hub, [8405])
    key = Instance.objects.get().key
    first = time_travel.at_version(f"express-{key}", 1)
    assert (first.value["status"], first.aggregate) == ("ordered", "ExpressOrder")
