"""Recommendation: learns from what is bought together."""

from collections.abc import Sequence

import msgspec

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Service, handles


class Recommendation(Service):
    """The flaw: it forgets the correlation and causation ids, so its events belong to no trace."""

    name = "recommendation"
    reads = ("shop.orders",)
    writes = "shop.customers"

    @handles("order.placed")
    async def learn(self, event: ShopEvent) -> Sequence[Draft]:
        """Update what the customer is shown next."""
        purchase = purchase_in(event)
        # It learns from a sample of the orders only.
        if not self.world.story_of(purchase.order_id).is_recommended:
            return []
        await self.world.thinks("model", purchase.order_id, 0.05, 0.3)
        data = {
            "customer_id": purchase.customer_id,
            "because_of": [item["sku"] for item in purchase.items],
            "model": "bought-together-7",
        }
        return [Draft("recommendation.updated", data, f"recommendations-{purchase.customer_id}")]

    def envelope_of(self, cause: ShopEvent, event: ShopEvent) -> ShopEvent:
        """The event as it goes out."""
        if not self.shop.sins:
            return event
        return msgspec.structs.replace(event, correlation_id=None, causation_id=None)
