"""What the shop's teams have declared about their events."""

from datetime import timedelta
from typing import Any

import msgspec

from eventhub.schemas.models import ValidationMode

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
MONEY: Schema = {"type": "string", "pattern": r"^\d+\.\d{2}$", "description": "As text: money is no float."}
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}
ORDER_ID: Schema = {"type": "string", "pattern": r"^\d+$"}
EMAIL: Schema = {"type": "string", "pattern": "^[^@ ]+@[^@ ]+$"}
ITEMS: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["sku", "quantity", "price_cents"],
        "properties": {
            "sku": TEXT,
            "name": TEXT,
            "quantity": {"type": "integer", "minimum": 1},
            "price_cents": {"type": "integer", "minimum": 0},
        },
    },
}


class Declared(msgspec.Struct, frozen=True):
    """One event type: who owns it, what it means, and by version what its data must look like."""

    name: str
    owner: str
    description: str
    schemas: dict[str, Schema] = {}
    validation: ValidationMode = ValidationMode.WARN


def of(required: dict[str, Schema], **optional: Schema) -> Schema:
    """The schema of an object that must have `required` and may have `optional`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": sorted(required),
        "properties": {**required, **optional},
    }


DECLARED = (
    Declared(
        "order.placed",
        "Storefront",
        "A customer has ordered. Starts everything else.",
        {
            "1": of(
                {
                    "order_id": ORDER_ID,
                    "customer_id": TEXT,
                    "email": EMAIL,
                    "items": ITEMS,
                    "total": MONEY,
                    "currency": CURRENCY,
                    "ship_to_name": TEXT,
                    "ship_to_postcode": TEXT,
                    "ship_to_country": TEXT,
                }
            ),
            "2": of(
                {
                    "order_id": ORDER_ID,
                    "customer": of({"id": TEXT, "email": EMAIL}, is_company={"type": "boolean"}),
                    "items": ITEMS,
                    "total": of({"amount": MONEY, "currency": CURRENCY}),
                    "ship_to": of(
                        {"name": TEXT, "street": TEXT, "postcode": TEXT, "city": TEXT, "country": TEXT}
                    ),
                }
            ),
        },
    ),
    Declared("order.confirmed", "Orders", "Paid and reserved: the shop promises to deliver."),
    Declared("order.completed", "Orders", "The parcel is with the carrier; the order is done."),
    Declared("order.cancelled", "Orders", "Every step taken for the order has been undone."),
    Declared(
        "payment.authorized",
        "Payments",
        "The bank has granted the money.",
        {"1": of({"order_id": ORDER_ID, "payment_id": TEXT, "amount": TEXT, "currency": CURRENCY})},
    ),
    Declared(
        "payment.declined",
        "Payments",
        "The bank has refused; what was held for the order is released.",
        {"1": of({"order_id": ORDER_ID, "payment_id": TEXT, "reason": TEXT})},
    ),
    Declared("payment.refunded", "Payments", "The money is on its way back to the customer."),
    Declared(
        "inventory.reserved",
        "Warehouse",
        "The goods are off the shelf and wait for their parcel.",
        {"1": of({"order_id": ORDER_ID, "reserved": {"type": "array", "minItems": 1}})},
    ),
    Declared("inventory.out_of_stock", "Warehouse", "The goods were paid for and are not there."),
    Declared("inventory.released", "Warehouse", "The goods are back on the shelf."),
    Declared("shipment.created", "Shipping", "A parcel is booked with the carrier."),
    Declared(
        "shipment.dispatched",
        "Shipping",
        "The carrier has the parcel.",
        {
            "1": of(
                {"order_id": ORDER_ID, "tracking_number": TEXT, "weight_g": {"type": "integer", "minimum": 1}}
            )
        },
    ),
    Declared("email.sent", "Customer care", "The mail server has taken an e-mail to a customer."),
    Declared(
        "customer.profile_updated",
        "Customer care",
        "What the shop knows about a customer has changed. Marketing reads it, so its schema is enforced.",
        {
            "1": of(
                {
                    "customer_id": TEXT,
                    "order_id": ORDER_ID,
                    "orders": {"type": "integer", "minimum": 1},
                    "tier": {"enum": ["basic", "silver", "gold"]},
                },
                spent_last_order=MONEY,
            )
        },
        ValidationMode.ENFORCE,
    ),
    Declared("recommendation.updated", "Discovery", "What a customer is shown next has changed."),
)
# What is declared only where the shop keeps its bad habits, and what only where it does not.
SINFUL = (
    Declared("billing.send_invoice", "Billing", "Asks the e-mail service to send an invoice."),
    Declared(
        "loyalty.tier_reached",
        "Loyalty",
        "A customer has earned the next tier. Planned once, and never sent.",
        {"1": of({"customer_id": TEXT, "tier": TEXT})},
    ),
)
VIRTUOUS = (
    Declared("invoice.issued", "Billing", "A company's invoice has its number, and waits to be paid."),
)
# A type that says it only notifies, and carries the whole order.
FAT = "inventory.reserved"
# How long ago the type that is never sent was declared.
FORGOTTEN = "loyalty.tier_reached"
FORGOTTEN_FOR = timedelta(days=60)
