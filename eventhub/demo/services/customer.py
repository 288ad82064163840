"""Customer profile: keeps what the shop knows about a customer, here the money they have spent."""

from collections.abc import Sequence
from decimal import Decimal

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.relay import ORDER_FEED
from eventhub.demo.service import Service, handles, order_id_of


class Customer(Service):
    """Has a bug: totals from the old app, written "1.249,00" in some countries, are no decimals to it.

    And now and then it publishes a profile that breaks its own schema, which EventHub enforces for this type.
    """

    name = "customer"
    reads = (ORDER_FEED,)
    writes = "shop.customers"

    @handles("order.completed")
    async def update_profile(self, event: ShopEvent) -> Sequence[Draft]:
        """Add the order to the customer's history."""
        order_id, customer_id = order_id_of(event), event.data["customer_id"]
        await self.world.thinks("profile", order_id)
        spent = Decimal(event.data["total"])
        orders = 1 + int(self.world.dice.roll("orders so far", customer_id) * 20)
        data = {
            "customer_id": customer_id,
            "order_id": order_id,
            "orders": orders,
            "spent_last_order": f"{spent:.2f}",
            "tier": self._tier(order_id, orders),
        }
        return [Draft("customer.profile_updated", data, f"customer-{customer_id}")]

    def _tier(self, order_id: str, orders: int) -> str | None:
        # The flaw: someone deployed a tier that the schema does not know.
        if self.world.stories.breaks_schema(order_id):
            return "platinum-test"
        return "gold" if orders > 12 else "silver" if orders > 4 else "basic"
