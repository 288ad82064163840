"""The loop of one service: read, skip what was done before, handle, retry with backoff, report, or give up.

delivery ── unreadable or of no interest ──────────────────────────► acknowledge
    └─ handle ── fails ── again with backoff ── fails for good ────► dead letter, receipt, acknowledge
          └─ succeeds ────────────────────────────────────────────► follow-ups, receipt, done, acknowledge
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from eventhub.demo.bus import Bus, BusUnavailable, Commit, Delivery, Memory
from eventhub.demo.database import Unavailable
from eventhub.demo.envelope import ShopEvent, Unreadable, encode, follow_up, read
from eventhub.demo.faults import Entry, Wire
from eventhub.demo.receipts import dead_letter, receipt
from eventhub.demo.service import Service
from eventhub.demo.world import FINAL

log = logging.getLogger(__name__)

# How many events one service handles at the same time; more wait in the broker, not in memory.
AT_ONCE = 500


class Serving:
    """One service at work on a bus."""

    def __init__(self, service: Service, bus: Bus, wire: Wire) -> None:
        self.service = service
        self.bus = bus
        self.wire = wire
        self._in_hand: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being handled or on its way."""
        return not self._tasks

    async def run(self) -> None:
        """Serve until cancelled; what was in hand then is delivered again. Survives every failure of the bus."""
        try:
            await self._serve()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _serve(self) -> None:
        delay_s = 0.1
        while True:
            try:
                deliveries = await self.bus.read(self.service.name, self.service.reads)
                await self._take(deliveries)
                delay_s = 0.1
            except BusUnavailable as error:
                log.warning("%s waits for the bus: %s", self.service.name, error)
            except Exception:  # a bug: what was read is pending, and comes again after a restart
                log.exception("%s goes on with the next messages", self.service.name)
            else:
                continue
            await asyncio.sleep(delay_s)
            delay_s = min(2.0, delay_s * 2)

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        wanted: list[tuple[Delivery, ShopEvent]] = []
        unwanted: list[Delivery] = []
        for delivery in deliveries:
            event = self._interesting(delivery)
            if event is None:
                unwanted.append(delivery)
            elif delivery.place not in self._in_hand:
                wanted.append((delivery, event))
        memory = await self.bus.memory_of(self.service.name, [event.event_id for _, event in wanted])
        for delivery, event in wanted:
            if self._is_mine(delivery, event, memory):
                await self._room.acquire()
                self._in_hand |= {event.event_id, delivery.place}
                self._spawn(self._deliver(delivery, event))
            else:
                unwanted.append(delivery)
        if unwanted:
            self._spawn(self.bus.commit(Commit(service=self.service.name, acknowledged=tuple(unwanted))))

    def _interesting(self, delivery: Delivery) -> ShopEvent | None:
        try:
            event = read(delivery.body, delivery.headers)
        except Unreadable:
            return None
        return event if event.event_type in self.service.handlers else None

    def _is_mine(self, delivery: Delivery, event: ShopEvent, memory: Memory) -> bool:
        """Whether to handle it: never twice, and of what EventHub sends again only what this service failed on."""
        if event.event_id in self._in_hand or (self.service.remembers and event.event_id in memory.done):
            return False
        failed_in = delivery.headers.get("eventhub-retry-for")
        return "eventhub-retry-of" not in delivery.headers or failed_in in (None, self.service.name)

    async def _deliver(self, delivery: Delivery, event: ShopEvent) -> None:
        try:
            commit = await self._outcome(delivery, event)
            await self.bus.commit(commit)
        except Exception:  # one bad event must not stop the service; it is redelivered after a restart
            log.exception("%s could not finish %s", self.service.name, event.event_id)
        finally:
            self._in_hand -= {event.event_id, delivery.place}
            self._room.release()

    async def _outcome(self, delivery: Delivery, event: ShopEvent) -> Commit:
        """Handle the event, as often as the service's policy says, and tell what is to be committed."""
        service, retry = self.service, self.service.retry
        handler = service.handlers[event.event_type]
        before = tries_before(delivery)
        attempt = 1
        while True:
            began = asyncio.get_running_loop().time()
            handed = msgspec.structs.replace(
                event, attempt=attempt, is_retry="eventhub-retry-of" in delivery.headers
            )
            try:
                drafts = await handler(handed)
            except Unavailable as error:
                log.warning("%s waits: %s", service.name, error)
                await asyncio.sleep(1.0)
                continue
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failure on this event
                took_s = asyncio.get_running_loop().time() - began
                will_retry = attempt < retry.attempts and not isinstance(error, FINAL)
                report = receipt(
                    event,
                    service=service.name,
                    attempt=before + attempt,
                    duration_s=took_s,
                    at=service.shop.now(),
                    error=error,
                    will_retry=will_retry,
                )
                if not will_retry:
                    letter = dead_letter(
                        delivery,
                        error,
                        service=service.name,
                        attempts=before + attempt,
                        at=service.shop.now(),
                    )
                    return self._commit(delivery, [letter, report], failed=event.event_id)
                await self.bus.commit(Commit(entries=(report,)))
                roll = service.world.dice.roll("backoff", service.name, event.event_id, attempt)
                await asyncio.sleep(retry.delay_s(attempt, roll))
                attempt += 1
                continue
            report = receipt(
                event,
                service=service.name,
                attempt=before + attempt,
                duration_s=asyncio.get_running_loop().time() - began,
                at=service.shop.now(),
            )
            entries = [
                entry
                for draft in drafts
                for entry in self._published(
                    event, follow_up(event, draft, service=service.name, at=service.shop.now())
                )
            ]
            return self._commit(delivery, [*entries, report], done=event.event_id)

    def _published(self, cause: ShopEvent, event: ShopEvent) -> list[Entry]:
        outgoing = self.service.envelope_of(cause, event)
        body, headers = encode(outgoing, self.service.speech)
        return self.wire.carry(outgoing, Entry(self.service.writes, body, headers))

    def _commit(
        self,
        delivery: Delivery,
        entries: Sequence[Entry],
        *,
        done: str | None = None,
        failed: str | None = None,
    ) -> Commit:
        for entry in entries:
            if entry.delay_s:
                self._spawn(publish_late(self.bus, entry))
        return Commit(
            entries=tuple(entry for entry in entries if not entry.delay_s),
            service=self.service.name,
            acknowledged=(delivery,),
            done=done,
            failed=failed,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def publish_late(bus: Bus, entry: Entry) -> None:
    """Publish `entry` when its delay is over."""
    await asyncio.sleep(entry.delay_s)
    await bus.commit(Commit(entries=(msgspec.structs.replace(entry, delay_s=0.0),)))


def tries_before(delivery: Delivery) -> int:
    """How often the event was tried before this delivery: EventHub counts on in ``eventhub-attempt``."""
    text = delivery.headers.get("eventhub-attempt", "")
    return max(0, int(text) - 1) if text.isascii() and text.isdigit() else 0
