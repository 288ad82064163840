"""Storefront: the web shop and its old app. It starts every story by publishing `order.placed`."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from eventhub.demo.bus import Bus, Commit
from eventhub.demo.catalogue import CUSTOMERS, basket, customer
from eventhub.demo.envelope import Draft, Speech, encode, first_event
from eventhub.demo.faults import Entry, Wire
from eventhub.demo.purchase import Purchase, as_version_1, as_version_2
from eventhub.demo.service import Shop
from eventhub.demo.serving import publish_late
from eventhub.demo.stories import Dice, Story, Trouble

NAME = "storefront"
TOPIC = "shop.orders"
# A pace that was missed by more than this (the machine slept, Redis was away) is not made up for.
CATCH_UP_S = 1.0


class Storefront:
    """Places orders, one for each number that it is given."""

    def __init__(self, shop: Shop, bus: Bus, wire: Wire) -> None:
        self.shop = shop
        self.bus = bus
        self.wire = wire
        self._late: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way any more."""
        return not self._late

    def close(self) -> None:
        """Drop what is still on its way."""
        for task in self._late:
            task.cancel()

    async def run(self, numbers: AsyncIterator[int], pause_s: Callable[[Story], float]) -> None:
        """Place the orders; `pause_s` says how long the shop takes to the next one after an order of this story."""
        clock = asyncio.get_running_loop()
        due = clock.time()
        async for number in numbers:
            order_id = str(number)
            story = self.shop.world.story_of(order_id)
            await self.place(order_id, story)
            # Customers do not come evenly.
            due += pause_s(story) * (0.5 + self.shop.world.dice.roll("pause", order_id))
            due = max(due, clock.time() - CATCH_UP_S)
            await asyncio.sleep(due - clock.time())

    async def place(self, order_id: str, story: Story) -> None:
        """Publish `order.placed`, in the version that the customer's app speaks."""
        purchase = purchase_of(order_id, story, self.shop.world.dice)
        tell: Callable[[Purchase], dict[str, Any]] = as_version_1 if story.from_old_app else as_version_2
        event = first_event(
            Draft(
                "order.placed",
                tell(purchase),
                stream=f"order-{order_id}",
                stream_version=1,
                event_version="1" if story.from_old_app else "2",
            ),
            service=NAME,
            at=self.shop.now(),
            correlation_id=f"order-{order_id}-{secrets.token_hex(3)}",
        )
        body, headers = encode(event, Speech.NATIVE)
        entries = self.wire.carry(event, Entry(TOPIC, body, headers))
        for entry in entries:
            if entry.delay_s:
                task = asyncio.create_task(publish_late(self.bus, entry))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
        await self.bus.commit(Commit(entries=tuple(entry for entry in entries if not entry.delay_s)))


def purchase_of(order_id: str, story: Story, dice: Dice) -> Purchase:
    """What is bought in this story."""
    who = customer(int(dice.roll("customer", order_id) * CUSTOMERS), dice)
    items = basket(order_id, dice)
    cents = sum(item["quantity"] * item["price_cents"] for item in items)
    total = f"{cents // 100}.{cents % 100:02}"
    if story.trouble is Trouble.COMMA_TOTAL:
        total = f"{cents // 100:,}".replace(",", ".") + f",{cents % 100:02}"
    purchase = Purchase(
        order_id=order_id,
        items=items,
        total=total,
        currency="EUR",
        is_company=story.is_company,
        is_new_address=story.has_moved,
        **who,
    )
    if story.trouble is Trouble.BAD_ADDRESS:
        ship_to = {**purchase.ship_to, "postcode": "00000"}
        return msgspec.structs.replace(purchase, ship_to=ship_to)
    return purchase
