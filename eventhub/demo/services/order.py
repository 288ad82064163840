"""Order: keeps the state of every order in the database, and tells of each change through the outbox.

The change and its event are written in one transaction, so neither is ever there without the other. EventHub reads
the outbox itself; the shop's relay (``relay.py``) carries it to the services.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from eventhub.demo.envelope import Draft, ShopEvent, follow_up, native
from eventhub.demo.models import Order as OrderRow
from eventhub.demo.models import OrderStatus
from eventhub.demo.purchase import Purchase, purchase_in
from eventhub.demo.service import Service, handles, order_id_of
from eventhub.outbox.publishing import publish

TOPIC = "shop.orders"
# Which step may follow which: what an order has already done is not done again.
MAY_BECOME = {
    OrderStatus.CONFIRMED: {OrderStatus.PLACED},
    OrderStatus.COMPLETED: {OrderStatus.PLACED, OrderStatus.CONFIRMED},
    OrderStatus.CANCELLED: {OrderStatus.PLACED, OrderStatus.CONFIRMED},
}


class OrderUnknown(LookupError):
    """An event tells of an order that the order service has not heard of yet."""


class Order(Service):
    """Publishes nothing to Redis itself: see ``tell``."""

    name = "order"
    reads = ("shop.orders", "shop.inventory", "shop.payments", "shop.shipping")
    writes = TOPIC

    @handles("order.placed")
    async def take_down(self, event: ShopEvent) -> Sequence[Draft]:
        """Write the order down; the storefront has told everyone else."""
        await self.shop.database.run(write_down, purchase_in(event), event.at)
        return []

    @handles("inventory.reserved")
    async def confirm(self, event: ShopEvent) -> Sequence[Draft]:
        """Paid and reserved: the shop promises to deliver."""
        await self.shop.database.run(write_down, purchase_in(event), event.at)
        return await self.tell(event, OrderStatus.CONFIRMED)

    @handles("shipment.dispatched")
    async def complete(self, event: ShopEvent) -> Sequence[Draft]:
        """Handed over: the order is done."""
        return await self.tell(event, OrderStatus.COMPLETED)

    @handles("inventory.released", "payment.refunded")
    async def cancel(self, event: ShopEvent) -> Sequence[Draft]:
        """The last compensation: no money, no goods, no order."""
        return await self.tell(event, OrderStatus.CANCELLED, reason=event.data["reason"])

    async def tell(self, event: ShopEvent, status: OrderStatus, **more: str) -> Sequence[Draft]:
        """Change the order's status and write the event that says so, together."""
        await self.shop.database.run(change, event, status, self.shop.now(), more)
        self.shop.database.written.set()
        return []


def write_down(purchase: Purchase, placed_at: datetime) -> None:
    """Make the order's row where it is not there yet."""
    OrderRow.objects.get_or_create(
        order_id=purchase.order_id,
        defaults={
            "customer_id": purchase.customer_id,
            "email": purchase.email,
            "total": purchase.total,
            "currency": purchase.currency,
            "placed_at": placed_at,
        },
    )


@transaction.atomic
def change(cause: ShopEvent, status: OrderStatus, at: datetime, more: dict[str, str]) -> None:
    """Bring the order into `status` and publish `order.<status>`; nothing when it is there already.

    Raises OrderUnknown.
    """
    order_id = order_id_of(cause)
    order = OrderRow.objects.select_for_update().filter(order_id=order_id).first()
    if order is None:
        raise OrderUnknown(f"Order {order_id} is not known to the order service")
    if order.status not in MAY_BECOME[status]:
        return
    order.status = status
    order.version += 1
    order.save()
    data = {
        "order_id": order_id,
        "customer_id": order.customer_id,
        "email": order.email,
        "total": order.total,
        "currency": order.currency,
        **more,
    }
    draft = Draft(f"order.{status.value}", data, f"order-{order_id}", order.version)
    event = follow_up(cause, draft, service=Order.name, at=at)
    publish(TOPIC, native(event), key=event.stream)
