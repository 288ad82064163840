"""Billing: sees to it that companies get an invoice."""

from collections.abc import Sequence

from eventhub.demo.envelope import Draft, ShopEvent
from eventhub.demo.purchase import purchase_in
from eventhub.demo.service import Service, handles


class Billing(Service):
    """The flaw: it publishes `billing.send_invoice`, which is no fact but an order to the e-mail service.

    Better, and what it does without its bad habits: `invoice.issued`, and let whoever cares react.
    """

    name = "billing"
    reads = ("shop.payments",)
    writes = "shop.payments"

    @handles("payment.authorized")
    async def invoice(self, event: ShopEvent) -> Sequence[Draft]:
        """Number the invoice and have it sent."""
        purchase = purchase_in(event)
        if not purchase.is_company:
            return []
        await self.world.thinks("invoice", purchase.order_id, 0.05, 0.2)
        data = {
            "order_id": purchase.order_id,
            "invoice_number": f"2026-{purchase.order_id}",
            "email": purchase.email,
            "amount": purchase.total,
            "currency": purchase.currency,
        }
        event_type = "billing.send_invoice" if self.shop.sins else "invoice.issued"
        return [Draft(event_type, data, f"invoice-{purchase.order_id}", 1)]
