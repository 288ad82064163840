"""The world outside the shop's services: the bank, the warehouse, the carrier, the mail server.

Each takes its time and sometimes fails, as the story of the order wants it. Nothing in here knows of events.
"""

import asyncio
import smtplib

import msgspec

from eventhub.demo.stories import Dice, Story, Storyteller, Trouble


class GatewayUnavailable(ConnectionError):
    """The payment gateway does not answer properly; asking again usually helps."""


class StockConflict(RuntimeError):
    """Someone else changed the stock record in the meantime; reading it again usually helps."""


class CarrierTimeout(TimeoutError):
    """The carrier's API does not answer; it usually does later."""


class AddressRejected(ValueError):
    """The carrier does not deliver to this address, however often it is asked."""


# Answers of the world that asking again does not change.
FINAL = (AddressRejected, smtplib.SMTPRecipientsRefused)


class Approval(msgspec.Struct, frozen=True):
    """The bank's answer."""

    granted: bool
    reference: str
    card: str
    reason: str = ""


class World:
    """What the services reach over the network."""

    def __init__(self, stories: Storyteller) -> None:
        self.stories = stories
        self.dice: Dice = stories.dice

    async def charge(self, order_id: str, amount: str, *, attempt: int) -> Approval:
        """Ask the bank for the money. Raises GatewayUnavailable."""
        story = self.stories.story_of(order_id)
        await self._takes("bank", order_id, 0.12, 0.55)
        if story.trouble is Trouble.GATEWAY_HICCUP and attempt == 1:
            raise GatewayUnavailable(
                "503 Service Unavailable from https://gateway.paybridge.example/v1/charges"
            )
        digits = int(self.dice.roll("card", order_id) * 9000) + 1000
        return Approval(
            granted=story.outcome != "declined",
            reference=f"pb_{order_id}_{digits}",
            card=f"visa •••• {digits}",
            reason="" if story.outcome != "declined" else "insufficient_funds",
        )

    async def give_back(self, order_id: str) -> str:
        """Return the money; the reference of the refund."""
        await self._takes("refund", order_id, 0.15, 0.4)
        return f"rf_{order_id}"

    async def take_from_shelf(self, order_id: str, sku: str, *, attempt: int) -> bool:
        """Reserve the goods; False when the shelf is empty. Raises StockConflict."""
        story = self.stories.story_of(order_id)
        await self._takes("shelf", order_id, 0.03, 0.2)
        if story.trouble is Trouble.STOCK_CONFLICT and attempt < 3:
            raise StockConflict(
                f"Stock record of {sku} changed since it was read: expected version 41, found 42"
            )
        return story.outcome != "out of stock"

    async def book_parcel(self, order_id: str, ship_to: dict[str, str], *, again: bool) -> str:
        """Book a parcel with the carrier; the tracking number. Raises CarrierTimeout, AddressRejected.

        `again` is true when a person had EventHub send the event once more, long after the first tries.
        """
        story = self.stories.story_of(order_id)
        await self._takes("carrier", order_id, 0.2, 0.6, slow=story.carrier_is_slow)
        if not ship_to["postcode"].strip("0"):
            raise AddressRejected(
                f"422 from ParcelRun: postcode {ship_to['postcode']!r} does not exist in {ship_to['country']}"
            )
        if story.trouble is Trouble.CARRIER_DOWN and not (again and self._carrier_is_back(order_id)):
            raise CarrierTimeout("POST https://api.parcelrun.example/v2/shipments: no answer within 2 s")
        return f"PR{self.dice.roll('tracking', order_id):.10f}".replace("0.", "") + "DE"

    def _carrier_is_back(self, order_id: str) -> bool:
        return self.dice.roll("carrier is back", order_id) < 0.8

    async def pack(self, order_id: str) -> int:
        """Pick, pack and hand over; the parcel's weight in grams."""
        await self._takes("pack", order_id, 0.25, 0.9)
        return 300 + int(self.dice.roll("weight", order_id) * 9000)

    async def send_mail(self, address: str, subject: str, *, about: str) -> str:
        """Hand an e-mail to the mail server; its message id. Raises smtplib.SMTPRecipientsRefused."""
        await self._takes(f"smtp {subject}", about, 0.06, 0.35)
        if self.story_of(about).trouble is Trouble.MAILBOX_REFUSED:
            raise smtplib.SMTPRecipientsRefused({address: (550, b"5.1.1 Mailbox unavailable")})
        return f"<{about}.{int(self.dice.roll(subject, about) * 1e9):x}@shop.example>"

    def story_of(self, order_id: str) -> Story:
        """The story of this order."""
        return self.stories.story_of(order_id)

    async def thinks(self, what: str, about: str, at_least_s: float = 0.01, at_most_s: float = 0.08) -> None:
        """A service's own work that takes a moment: a query, a calculation."""
        await self._takes(what, about, at_least_s, at_most_s)

    async def _takes(
        self, what: str, about: str, at_least_s: float, at_most_s: float, *, slow: bool = False
    ) -> None:
        roll: float = self.dice.roll(f"duration of {what}", about)
        seconds = at_least_s + (at_most_s - at_least_s) * roll**2
        await asyncio.sleep(seconds * 10 if slow else seconds)
