"""E-mail: writes to customers when something happened that they wait for."""

from collections.abc import Sequence

import msgspec

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.relay import ORDER_FEED
from eventhub.demo.service import Service, Shop, handles, order_id_of

SUBJECTS = {
    "shipment.dispatched": "Your parcel is on its way",
    "order.cancelled": "Your order is cancelled",
    "billing.send_invoice": "Your invoice",
    "invoice.issued": "Your invoice",
}


class Email(Service):
    """Its failures are mailboxes that do not exist: it gives up at once, because trying again changes nothing.

    The flaws: it does not remember what it has handled, so that a duplicate is a second e-mail; and its events say no
    version.
    """

    name = "email"
    reads = (ORDER_FEED, "shop.shipping", "shop.payments")
    writes = "shop.email"

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self.remembers = not shop.sins

    @handles(*SUBJECTS)
    async def write_to_customer(self, event: ShopEvent) -> Sequence[Draft]:
        """Send the mail that fits the event."""
        order_id = order_id_of(event)
        subject = SUBJECTS[event.event_type]
        address = event.data["email"]
        message_id = await self.world.send_mail(address, subject, about=order_id)
        data = {"order_id": order_id, "to": address, "subject": subject, "message_id": message_id}
        return [Draft("email.sent", data, f"mail-{order_id}-{event.event_type}", 1)]

    def envelope_of(self, cause: ShopEvent, event: ShopEvent) -> ShopEvent:
        """The event as it goes out."""
        return msgspec.structs.replace(event, event_version="") if self.shop.sins else event
