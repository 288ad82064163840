"""The shop's express orders: the same story as the others', told by an orchestrator instead of by whoever hears.

Every fifth order is also sent by express. A saga asks for each step, waits for the carrier, and undoes what was done
when something fails for good. Each express order is a stream, and two projections follow them all. Loaded as
``loyalty.py`` is.
"""

import random
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from eventhub.handlers import Event, PermanentError, Retry, TemporaryError, handles
from eventhub.sagas import Running, Step, Together, saga
from eventhub.sagas.starting import start
from eventhub.sourcing.aggregates import aggregate, of
from eventhub.sourcing.appending import New
from eventhub.sourcing.projecting import projection

EVERY = 5
SOURCE = "express"
BANK_IS_BUSY = 0.2
PATIENT = Retry(max_attempts=5, base=1.0, cap=10.0)


@aggregate("express", snapshot_every=20)
@dataclass
class ExpressOrder:
    """What has become of one express order."""

    status: str = "new"
    total: str = ""
    customer_id: str = ""
    reserved: bool = False
    paid: bool = False
    label: str = ""
    parcel: str = ""
    reasons: list[str] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        """Take an event in."""
        data = event.value or {}
        match event.event_type.removeprefix("express."):
            case "ordered":
                self.status, self.total, self.customer_id = "ordered", data["total"], data["customer_id"]
            case "stock-reserved":
                self.reserved, self.status = True, "reserved"
            case "stock-released":
                self.reserved = False
            case "payment-taken":
                self.paid, self.status = True, "paid"
            case "payment-returned":
                self.paid = False
            case "label-printed":
                self.label = data["label"]
            case "label-torn-up":
                self.label = ""
            case "parcel-collected":
                self.parcel, self.status = data["parcel"], "collected"
            case "parcel-refused" | "cancelled":
                self.status = "cancelled"
                self.reasons.append(data.get("reason", ""))
            case "delivered":
                self.status = "delivered"


def tell(about: Running, what: str, **data: Any) -> None:
    """Append to the order's stream, in the transaction of the step."""
    of(ExpressOrder).change(
        about.key,
        lambda order: New(f"express.{what}", data, event_version="1"),
        source=SOURCE,
        correlation_id=about.correlation_id,
    )


def order(about: Running) -> None:
    """Begin the stream."""
    tell(about, "ordered", total=about.data["total"], customer_id=about.data["customer_id"])


def cancel(about: Running) -> None:
    """The last compensation: the order is off."""
    tell(about, "cancelled", reason="something could not be done")


def reserve(about: Running) -> None:
    """Take the goods out of the shelf."""
    tell(about, "stock-reserved")


def release(about: Running) -> None:
    """And put them back."""
    tell(about, "stock-released")


def pay(about: Running) -> None:
    """Take the money; one card in eight is declined, and the bank is busy now and then."""
    if _dice(about.key, 8) == 0:
        raise PermanentError("the card was declined")
    if random.random() < BANK_IS_BUSY:  # noqa: S311 - a play
        raise TemporaryError("the bank does not answer")
    tell(about, "payment-taken", amount=about.data["total"])


def refund(about: Running) -> None:
    """Give the money back."""
    tell(about, "payment-returned", amount=about.data["total"])


def print_label(about: Running) -> None:
    """The label for the parcel."""
    tell(about, "label-printed", label=f"X-{about.key}")


def tear_up_label(about: Running) -> None:
    """It is of no use any more."""
    tell(about, "label-torn-up")


def ask_carrier(about: Running) -> None:
    """Ask the carrier; the answer is an event."""
    tell(about, "carrier-asked", label=f"X-{about.key}")


def call_carrier_off(about: Running) -> None:
    """The carrier need not come."""
    tell(about, "carrier-called-off")


def deliver(about: Running) -> None:
    """The end of the story."""
    tell(about, "delivered")


@saga("express-checkout")
class ExpressCheckout:
    """An express order from the till to the door."""

    steps = (
        Step("order", order, compensate=cancel),
        Step("reserve stock", reserve, compensate=release, retry=PATIENT),
        Together(
            Step("take payment", pay, compensate=refund, retry=PATIENT),
            Step("print label", print_label, compensate=tear_up_label, retry=PATIENT),
        ),
        Step(
            "collect parcel",
            ask_carrier,
            compensate=call_carrier_off,
            waits_for=("express.parcel-collected",),
            fails_on=("express.parcel-refused",),
            wait_s=120.0,
        ),
        Step("deliver", deliver),
    )


@handles("order.placed", name="begin-express-checkout")
def begin(event: Event) -> None:
    """Starts an express checkout for every fifth order."""
    placed = event.value
    order_id = str(placed.get("order_id", ""))
    if not order_id.isdecimal() or int(order_id) % EVERY:
        return
    # Version 1 is flat; since version 2 money and the customer are objects (eventhub/demo/purchase.py).
    total, customer = placed["total"], placed.get("customer", placed)
    data = {
        "total": total["amount"] if isinstance(total, dict) else total,
        "customer_id": customer.get("id") or customer["customer_id"],
    }
    start("express-checkout", order_id, data, correlation_id=f"express-{order_id}")


@handles("express.carrier-asked", name="express-carrier", order_by="stream")
def carry(event: Event) -> None:
    """The carrier: collects the parcel, or has no van for one in ten."""
    key = (event.stream or "").removeprefix("express-")
    refuses = _dice(f"{key} van", 10) == 0
    answer = (
        New("express.parcel-refused", {"reason": "no van is free"}, event_version="1")
        if refuses
        else New("express.parcel-collected", {"parcel": f"P-{key}"}, event_version="1")
    )
    of(ExpressOrder).change(
        key,
        lambda order: answer,
        source="carrier",
        correlation_id=event.correlation_id,
        causation_id=event.event_id,
    )


class ExpressRow(msgspec.Struct):
    """An express order of the listing."""

    order_id: str
    status: str = "ordered"
    total: str = ""
    events: int = 0
    changed_at: datetime | None = None


@projection("express_orders", "express.*", partitions=2, indexes=("status", "changed_at"))
class ExpressOrders:
    """A listing: each express order and where it stands."""

    Row = ExpressRow

    def key(self, event: Event) -> str | None:
        """The order's number."""
        return (event.stream or "").removeprefix("express-") or None

    def fold(self, row: ExpressRow | None, event: Event) -> ExpressRow:
        """Take an event in."""
        row = row or ExpressRow(self.key(event) or "")
        row.events, row.changed_at = row.events + 1, event.occurred_at
        what = event.event_type.removeprefix("express.")
        if what == "ordered":
            row.total = event.value["total"]
        elif what in ("payment-taken", "parcel-collected", "cancelled", "delivered"):
            row.status = what.split("-")[-1]
        return row


class ExpressDay(msgspec.Struct):
    """A day of express orders."""

    day: str
    ordered: int = 0
    delivered: int = 0
    cancelled: int = 0


@projection("express_days", "express.ordered", "express.delivered", "express.cancelled")
class ExpressDays:
    """Analytics: what became of each day's express orders."""

    Row = ExpressDay

    def key(self, event: Event) -> str:
        """The day, in UTC."""
        return event.occurred_at.date().isoformat()

    def fold(self, row: ExpressDay | None, event: Event) -> ExpressDay:
        """Count it."""
        row = row or ExpressDay(self.key(event))
        what = event.event_type.removeprefix("express.")
        setattr(row, what, getattr(row, what) + 1)
        return row


def _dice(text: str, sides: int) -> int:
    """The same for the same text, whoever asks."""
    return zlib.crc32(text.encode()) % sides
