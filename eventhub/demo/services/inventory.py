"""Inventory: takes the goods from the shelf when they are paid, puts them back when the payment fails."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Service, handles


class Inventory(Service):
    """Its failures are conflicts over a stock record: the third attempt succeeds."""

    name = "inventory"
    reads = ("shop.payments",)
    writes = "shop.inventory"

    @handles("payment.authorized")
    async def reserve(self, event: ShopEvent) -> Sequence[Draft]:
        """Reserve every item, or tell which one is missing."""
        purchase = purchase_in(event)
        sku = purchase.items[0]["sku"]
        is_there = await self.world.take_from_shelf(purchase.order_id, sku, attempt=event.attempt)
        data = {"order_id": purchase.order_id, "order": purchase.told()}
        stream = f"reservation-{purchase.order_id}"
        if not is_there:
            return [Draft("inventory.out_of_stock", {**data, "sku": sku}, stream, 1)]
        reserved = [{"sku": item["sku"], "quantity": item["quantity"]} for item in purchase.items]
        return [Draft("inventory.reserved", {**data, "reserved": reserved}, stream, 1)]

    @handles("payment.declined")
    async def release(self, event: ShopEvent) -> Sequence[Draft]:
        """The compensation of the hold that the basket had on the goods."""
        purchase = purchase_in(event)
        await self.world.thinks("release", purchase.order_id)
        released = [{"sku": item["sku"], "quantity": item["quantity"]} for item in purchase.items]
        data = {
            "order_id": purchase.order_id,
            "reason": "payment_declined",
            "released": released,
            "order": purchase.told(),
        }
        return [Draft("inventory.released", data, f"reservation-{purchase.order_id}", 1)]
