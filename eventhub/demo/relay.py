"""The order service's relay: carries what its outbox holds to the stream that the other services read.

EventHub taps the outbox table itself, so this stream is the services' own and not tapped: nothing is stored twice.
"""

import asyncio
import logging

import msgspec

from eventhub.demo.bus import Bus, Commit
from eventhub.demo.database import Database, Unavailable
from eventhub.demo.faults import Entry
from eventhub.outbox.models import OutboxMessage

log = logging.getLogger(__name__)

ORDER_FEED = "shop.order-feed"
TOPIC = "shop.orders"
BATCH = 500
# After a sign that something was written: long enough for a few more to come along.
GATHER_S = 0.02
LOOK_EVERY_S = 1.0


class Waiting(msgspec.Struct, frozen=True):
    """One outbox row on its way."""

    number: int
    body: bytes
    headers: dict[str, str]


async def relay_forever(
    database: Database, bus: Bus, after: int, *, look_every_s: float = LOOK_EVERY_S
) -> None:
    """Relay every row of the topic above id `after`, in the order of the ids.

    It is told when something was written, and looks every now and then all the same.
    """
    while True:
        try:
            rows = await database.run(waiting, after)
        except Unavailable as error:
            log.warning("The relay waits: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)
            continue
        if rows:
            after = rows[-1].number
            entries = tuple(Entry(ORDER_FEED, row.body, row.headers) for row in rows)
            await bus.commit(Commit(entries=entries, relayed=after))
        if len(rows) < BATCH:
            await _sign_of_more(database, look_every_s)


async def _sign_of_more(database: Database, look_every_s: float) -> None:
    try:
        # Not wait_for: before Python 3.12 it can lose a cancellation that comes together with the sign.
        async with asyncio.timeout(look_every_s):
            await database.written.wait()
    except TimeoutError:
        return
    database.written.clear()
    await asyncio.sleep(GATHER_S)


def waiting(after: int) -> list[Waiting]:
    """Rows that were not relayed yet, oldest first."""
    rows = OutboxMessage.objects.filter(topic=TOPIC, id__gt=after).order_by("id")[:BATCH]
    return [Waiting(row.pk, row.body.encode(), row.headers or {}) for row in rows]


def last_row() -> int:
    """The id of the newest outbox row; 0 for none."""
    return OutboxMessage.objects.order_by("-id").values_list("id", flat=True).first() or 0
