"""CRM: keeps the customer's address up to date in the sales department's own system."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Service, handles


class Crm(Service):
    """The flaws: event soup, one event a field, so that one move house is six events; and one more with a name that
    says no fact, in a style of its own.

    Better, and what it does without its bad habits: one `customer.address_changed` that tells the whole change.
    """

    name = "crm"
    reads = ("shop.orders",)
    writes = "shop.customers"

    @handles("order.placed")
    async def note_new_address(self, event: ShopEvent) -> Sequence[Draft]:
        """Tell of the new address when there is one."""
        purchase = purchase_in(event)
        if not purchase.is_new_address:
            return []
        await self.world.thinks("address", purchase.order_id)
        stream = f"customer-{purchase.customer_id}"
        changed = {**purchase.ship_to, "email": purchase.email}
        if not self.shop.sins:
            data = {"customer_id": purchase.customer_id, "order_id": purchase.order_id, "address": changed}
            return [Draft("customer.address_changed", data, stream)]
        soup = [
            Draft(
                f"customer.{field}_changed",
                {"customer_id": purchase.customer_id, "order_id": purchase.order_id, field: value},
                stream,
            )
            for field, value in changed.items()
        ]
        # For the sales department's own system, in its own way of naming.
        return [
            *soup,
            Draft("CustomerAddressUpdate", {"customer_id": purchase.customer_id, **changed}, stream),
        ]
