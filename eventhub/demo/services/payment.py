"""Payment: charges the card when an order is placed, and gives the money back when the goods are not there."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Service, handles, order_id_of


class Payment(Service):
    """Its failures are hiccups of the bank's gateway: the second attempt succeeds."""

    name = "payment"
    reads = ("shop.orders", "shop.inventory")
    writes = "shop.payments"

    @handles("order.placed")
    async def charge(self, event: ShopEvent) -> Sequence[Draft]:
        """Charge the card, or tell that the bank declined."""
        purchase = purchase_in(event)
        approval = await self.world.charge(purchase.order_id, purchase.total, attempt=event.attempt)
        data = {
            "order_id": purchase.order_id,
            "payment_id": approval.reference,
            "card": approval.card,
            "amount": purchase.total,
            "currency": purchase.currency,
            "order": purchase.told(),
        }
        stream = f"payment-{purchase.order_id}"
        if not approval.granted:
            return [Draft("payment.declined", {**data, "reason": approval.reason}, stream, 1)]
        return [Draft("payment.authorized", data, stream, 1)]

    @handles("inventory.out_of_stock")
    async def refund(self, event: ShopEvent) -> Sequence[Draft]:
        """The compensation of a charge."""
        order_id = order_id_of(event)
        purchase = purchase_in(event)
        data = {
            "order_id": order_id,
            "refund_id": await self.world.give_back(order_id),
            "amount": purchase.total,
            "currency": purchase.currency,
            "reason": "out_of_stock",
        }
        return [Draft("payment.refunded", data, f"payment-{order_id}", 2)]
