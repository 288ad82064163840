"""The shop's handlers: points for customers, the books of each day."""

import importlib
import sys

import pytest

from dlq.models import DeadLetter
from eventhub.demo.models import DayOfBusiness, LoyaltyAccount
from eventhub.handlers import registry
from eventhub.running.services import DEMO_HANDLERS, DEMO_MODULES, settings_of_this_run
from tests.handlers.conftest import Hub, handles, hub, placed  # noqa: F401 - fixtures


@pytest.fixture
def shop(hub: Hub, handles):  # noqa: F811
    sys.modules.pop(DEMO_HANDLERS, None)
    importlib.import_module(DEMO_HANDLERS)
    return hub


def completed(number, total, customer="c-1000"):
    return placed(
        number,
        event_type="order.completed",
        data={"order_id": str(number), "customer_id": customer, "total": total},
    )


def paid(number, amount, event_type="payment.authorized"):
    return placed(number, event_type=event_type, data={"amount": amount, "currency": "EUR"})


def test_a_completed_order_gives_a_point_for_each_euro_once(shop):
    events = [completed(1, "129.90"), completed(2, "10.00"), completed(3, "5.50", "c-1001")]
    shop.take(*events)
    shop.take(*events)
    shop.run("loyalty-points")
    points = dict(LoyaltyAccount.objects.values_list("customer_id", "points"))
    assert points == {"c-1000": 139, "c-1001": 5}


def test_a_total_as_the_old_app_writes_it_ends_among_the_dead_letters(shop):
    shop.take(completed(1, "1.249,00"), completed(2, "10.00"))
    for _ in range(3):
        shop.hurry()
        shop.run("loyalty-points")
    letter = DeadLetter.objects.get()
    assert (letter.failed_in, letter.error_class, letter.attempts) == (
        "loyalty-points",
        "decimal.InvalidOperation",
        3,
    )
    assert "give_points" in letter.stack
    assert LoyaltyAccount.objects.get().points == 10


def test_the_books_of_a_day_hold_payments_less_refunds(shop):
    shop.take(paid(1, "129.90"), paid(2, "1.249,00"), paid(3, "29.90", "payment.refunded"))
    shop.run("daily-revenue")
    day = DayOfBusiness.objects.get()
    assert (day.revenue_cents, day.payments) == (12_990 + 124_900 - 2_990, 3)


def test_only_an_installation_that_plays_the_demo_has_its_handlers():
    urls = {"database_url": "postgresql://x", "redis_url": "redis://x"}
    assert "EVENT_HANDLERS" not in settings_of_this_run({}, {}, **urls)
    given = {"EVENT_HANDLERS": "shop.reactions"}
    values = settings_of_this_run(given, {}, **urls, demo=True)
    assert values["EVENT_HANDLERS"] == ",".join(["shop.reactions", *DEMO_MODULES])
    assert not registry.subscriptions()
