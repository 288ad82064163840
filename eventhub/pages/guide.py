"""The style guide: every component on one page, in DEBUG only, for the eye and for the tests."""

from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from eventhub.pages.filters import Field, choices, filter_bar
from eventhub.pages.ranges import time_range

SAMPLE = {
    "order_id": "8412",
    "total": 129.9,
    "currency": "EUR",
    "paid": True,
    "coupon": None,
    "lines": [
        {"sku": "TEA-ASSAM-250", "name": "Assam <Second Flush>", "quantity": 2, "price": 14.95},
        {"sku": "POT-CLAY", "name": "Clay pot", "quantity": 1, "price": 100.0},
    ],
    "address": {"city": "Zürich", "lines": []},
}
EVENT_TYPES = (
    "order.placed",
    "payment.captured",
    "inventory.reserved",
    "shipment.dispatched",
    "customer.profile_updated",
    "email.sent",
    "product.updated",
    "cart.checked_out",
    "invoice.created",
    "user.signed_in",
    "stock.counted",
    "shipping.labelled",
)
SERVICES = (
    "checkout",
    "payments",
    "inventory",
    "shipping",
    "e-mail",
    "customer-profile",
    "legacy-batch",
    "zeta",
    "quark",
)


def components(request: HttpRequest) -> HttpResponse:
    """Everything that templates/components and static/css/components.css offer."""
    now = datetime.now(UTC)
    fields = [
        Field(name="q", label="Find an order, an id, a word"),
        Field(name="state", label="State", options=choices([("ok", "finished"), ("broken", "failed")])),
        Field(name="type", label="Event type", options=choices([(name, name) for name in EVENT_TYPES])),
    ]
    rows = [
        {
            "state": kind,
            "word": word,
            "id": f"order-{8400 + index}-5f0c9a7e41b24c8f",
            "type": name,
            "at": now - age,
            "took": took,
        }
        for index, (kind, word, name, age, took) in enumerate(
            (
                ("ok", "finished", "order.placed", timedelta(seconds=4), 0.0018),
                ("busy", "slow", "payment.captured", timedelta(minutes=3), 1.84),
                ("broken", "failed", "shipment.dispatched", timedelta(hours=5), 312.0),
                ("unknown", "paused", "inventory.reserved", timedelta(days=2), 7_512.0),
            )
        )
    ]
    return render(
        request,
        "pages/components.html",
        {
            "now": now,
            "sample": SAMPLE,
            "event_types": EVENT_TYPES,
            "services": SERVICES,
            "rows": rows,
            "bar": filter_bar(request, fields),
            "range": time_range(request),
            "tabs": [
                {"url": "#", "label": "Waterfall", "current": True, "count": None},
                {"url": "#", "label": "Events", "current": False, "count": 9},
                {"url": "#", "label": "Raw", "current": False, "count": None},
            ],
            "hues": range(12),
        },
    )
