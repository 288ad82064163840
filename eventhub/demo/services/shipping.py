"""Shipping: books a parcel for reserved goods, then packs it and hands it over. Speaks CloudEvents."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent, Speech
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Service, handles, order_id_of


class Shipping(Service):
    """Its failures are the carrier's: some pass with time, addresses that do not exist never do.

    The second step is started by the service's own first event: when it crashes in between, nothing is forgotten.
    """

    name = "shipping"
    reads = ("shop.inventory", "shop.shipping")
    writes = "shop.shipping"
    speech = Speech.CLOUDEVENTS

    @handles("inventory.reserved")
    async def create_shipment(self, event: ShopEvent) -> Sequence[Draft]:
        """Book the parcel with the carrier."""
        purchase = purchase_in(event)
        tracking = await self.world.book_parcel(purchase.order_id, purchase.ship_to, again=event.is_retry)
        data = {
            "order_id": purchase.order_id,
            "tracking_number": tracking,
            "carrier": "ParcelRun",
            "email": purchase.email,
            "ship_to": purchase.ship_to,
        }
        return [Draft("shipment.created", data, f"shipment-{purchase.order_id}", 1)]

    @handles("shipment.created")
    async def dispatch(self, event: ShopEvent) -> Sequence[Draft]:
        """Pack the parcel and hand it to the carrier."""
        order_id = order_id_of(event)
        data = {
            "order_id": order_id,
            "tracking_number": event.data["tracking_number"],
            "carrier": event.data["carrier"],
            "weight_g": await self.world.pack(order_id),
            "email": event.data["email"],
        }
        # The flaw: now and then it counts a step that nobody is told of.
        version = 3 if self.world.stories.forgets_a_number(order_id) else 2
        return [Draft("shipment.dispatched", data, f"shipment-{order_id}", version)]
