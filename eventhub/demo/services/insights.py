"""Insights: the warehouse of figures. It listens to what ends a story, so that nothing the shop tells goes unheard."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.relay import ORDER_FEED
from eventhub.demo.service import Service, Shop, handles

LOVELESS = "recommendation.updated"


class Insights(Service):
    """The flaw: nobody told it of `recommendation.updated`, and nobody else listens to that.

    Without its bad habits it hears of that, too.
    """

    name = "insights"
    reads = ("shop.customers", "shop.email", ORDER_FEED)
    writes = "shop.customers"

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        if shop.sins:
            del self.handlers[LOVELESS]

    @handles(
        "order.confirmed",
        "email.sent",
        "customer.profile_updated",
        "customer.address_changed",
        "customer.name_changed",
        "customer.street_changed",
        "customer.postcode_changed",
        "customer.city_changed",
        "customer.country_changed",
        "customer.email_changed",
        "CustomerAddressUpdate",
        LOVELESS,
    )
    async def note(self, event: ShopEvent) -> Sequence[Draft]:
        """Add a line to the figures; nobody is told."""
        await self.world.thinks("figures", event.event_id, 0.002, 0.01)
        return []
