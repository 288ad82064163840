"""What the shop builds on EventHub's handlers: points for customers, and the books of each day.

Declared where `manage.py up` plays the demo (``EVENT_HANDLERS=eventhub.demo.loyalty``), and nowhere else: an
installation without the shop has no use for them.
"""

from decimal import Decimal

from django.db.models import F

from eventhub.demo.models import DayOfBusiness, LoyaltyAccount
from eventhub.handlers import Event, Retry, handles


@handles("order.completed", name="loyalty-points", retry=Retry(max_attempts=3, base=2.0, cap=30.0))
def give_points(event: Event) -> None:
    """One point for each euro of a completed order.

    Has the customer service's bug: "1.249,00", as the old app writes totals in some countries, is no decimal to it.
    Such orders end among the dead letters.
    """
    order = event.value
    points = int(Decimal(order["total"]))
    LoyaltyAccount.objects.get_or_create(customer_id=order["customer_id"])
    LoyaltyAccount.objects.filter(customer_id=order["customer_id"]).update(
        points=F("points") + points, orders=F("orders") + 1
    )


@handles("payment.authorized", "payment.refunded", name="daily-revenue", concurrency=1)
def book(event: Event) -> None:
    """What came in and went out on each day, in cents."""
    payment = event.value
    cents = _cents(payment["amount"])
    signed = cents if event.event_type == "payment.authorized" else -cents
    day, _ = DayOfBusiness.objects.get_or_create(day=event.occurred_at.date(), currency=payment["currency"])
    DayOfBusiness.objects.filter(pk=day.pk).update(
        revenue_cents=F("revenue_cents") + signed, payments=F("payments") + 1
    )


def _cents(amount: str) -> int:
    """Cents of "129.90", and of "1.249,00" as the old app writes it in some countries."""
    text = amount.replace(".", "").replace(",", ".") if "," in amount else amount
    return int(Decimal(text) * 100)
