"""Recommendation: learns from what is bought together."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Retry, Service, handles

CLOCK_AHEAD = timedelta(seconds=12)
# From this attempt on the model has time.
BUSY_ATTEMPTS = 7


class ModelBusy(ConnectionError):
    """The model has no time; asking more slowly would help."""


class Recommendation(Service):
    """The flaws: it forgets the correlation and causation ids, so its events belong to no trace; its clock is ahead;
    and when its model is busy it asks again and again, without a pause.
    """

    name = "recommendation"
    reads = ("shop.orders",)
    writes = "shop.customers"
    retry = Retry(attempts=8, base_s=0.01, cap_s=0.05)

    @handles("order.placed")
    async def learn(self, event: ShopEvent) -> Sequence[Draft]:
        """Update what the customer is shown next."""
        purchase = purchase_in(event)
        # It learns from a sample of the orders only.
        if not self.world.story_of(purchase.order_id).is_recommended:
            return []
        await self.world.thinks("model", purchase.order_id, 0.05, 0.3)
        if event.attempt < BUSY_ATTEMPTS and self.world.stories.model_is_busy(purchase.order_id):
            raise ModelBusy("429 Too Many Requests from http://model.shop.internal/v1/infer")
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
        at = event.at + CLOCK_AHEAD
        return msgspec.structs.replace(event, at=at, correlation_id=None, causation_id=None)
