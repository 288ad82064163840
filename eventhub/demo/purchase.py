"""The order as its events tell of it: two versions of `order.placed` are alive, and services read both."""

from typing import Any

import msgspec

from eventhub.demo.envelope import ShopEvent


class Purchase(msgspec.Struct, frozen=True):
    """What was ordered, by whom, and where it goes. Travels along in the events of an order."""

    order_id: str
    customer_id: str
    email: str
    items: list[dict[str, Any]]
    # As text, because money is not a float; "129.90", and from the old app in some countries "1.249,00".
    total: str
    currency: str
    ship_to: dict[str, str]
    is_company: bool
    is_new_address: bool

    def told(self) -> dict[str, Any]:
        """This purchase as data for an event."""
        return msgspec.structs.asdict(self)


def as_version_2(purchase: Purchase) -> dict[str, Any]:
    """The data of `order.placed` version 2: money is an object, the customer and the address are structured."""
    return {
        "order_id": purchase.order_id,
        "customer": {"id": purchase.customer_id, "email": purchase.email, "is_company": purchase.is_company},
        "items": purchase.items,
        "total": {"amount": purchase.total, "currency": purchase.currency},
        "ship_to": {**purchase.ship_to, "is_new": purchase.is_new_address},
    }


def as_version_1(purchase: Purchase) -> dict[str, Any]:
    """The data of `order.placed` version 1, which the old app still sends: all flat."""
    return {
        "order_id": purchase.order_id,
        "customer_id": purchase.customer_id,
        "email": purchase.email,
        "is_company": purchase.is_company,
        "items": purchase.items,
        "total": purchase.total,
        "currency": purchase.currency,
        **{f"ship_to_{name}": value for name, value in purchase.ship_to.items()},
        "ship_to_is_new": purchase.is_new_address,
    }


def purchase_in(event: ShopEvent) -> Purchase:
    """The purchase that this event tells of. Raises KeyError when it tells of none."""
    data = event.data
    if event.event_type != "order.placed":
        return msgspec.convert(data["order"], Purchase)
    if event.event_version == "1":
        return Purchase(
            order_id=data["order_id"],
            customer_id=data["customer_id"],
            email=data["email"],
            items=data["items"],
            total=data["total"],
            currency=data["currency"],
            ship_to={
                name: data[f"ship_to_{name}"] for name in ("name", "street", "postcode", "city", "country")
            },
            is_company=data["is_company"],
            is_new_address=data["ship_to_is_new"],
        )
    return Purchase(
        order_id=data["order_id"],
        customer_id=data["customer"]["id"],
        email=data["customer"]["email"],
        items=data["items"],
        total=data["total"]["amount"],
        currency=data["total"]["currency"],
        ship_to={name: value for name, value in data["ship_to"].items() if name != "is_new"},
        is_company=data["customer"]["is_company"],
        is_new_address=data["ship_to"]["is_new"],
    )
