"""E-mail: writes to customers when something happened that they wait for."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.relay import ORDER_FEED
from eventhub.demo.service import Service, handles, order_id_of

SUBJECTS = {
    "shipment.dispatched": "Your parcel is on its way",
    "order.cancelled": "Your order is cancelled",
    "billing.send_invoice": "Your invoice",
    "invoice.issued": "Your invoice",
}


class Email(Service):
    """Its failures are mailboxes that do not exist: it gives up at once, because trying again changes nothing."""

    name = "email"
    reads = (ORDER_FEED, "shop.shipping", "shop.payments")
    writes = "shop.email"

    @handles(*SUBJECTS)
    async def write_to_customer(self, event: ShopEvent) -> Sequence[Draft]:
        """Send the mail that fits the event."""
        order_id = order_id_of(event)
        subject = SUBJECTS[event.event_type]
        address = event.data["email"]
        message_id = await self.world.send_mail(address, subject, about=order_id)
        data = {"order_id": order_id, "to": address, "subject": subject, "message_id": message_id}
        return [Draft("email.sent", data, f"mail-{order_id}-{event.event_type}", 1)]
