"""A service: which streams it reads, what it does when something happened, and what it tells in return."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from eventhub.demo.database import Database
from eventhub.demo.envelope import Draft, ShopEvent, Speech
from eventhub.demo.world import World

Handler = Callable[[ShopEvent], Awaitable[Sequence[Draft]]]
Method = TypeVar("Method", bound=Callable[..., Awaitable[Sequence[Draft]]])


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Shop(msgspec.Struct, frozen=True):
    """What the services share: the world they talk to, the time, and whether they keep their bad habits."""

    world: World
    database: Database
    sins: bool = True
    now: Callable[[], datetime] = now


class Retry(msgspec.Struct, frozen=True):
    """How often a service tries, and how long it waits before trying again."""

    attempts: int = 3
    base_s: float = 0.25
    cap_s: float = 5.0

    def delay_s(self, attempt: int, roll: float) -> float:
        """Full jitter: somewhere between nothing and the doubled delay of the attempt that failed."""
        return float(min(self.cap_s, self.base_s * 2**attempt) * roll)


def handles(*event_types: str) -> Callable[[Method], Method]:
    """Mark a method as the handler of these event types."""

    def mark(method: Method) -> Method:
        method.__dict__["handles"] = event_types
        return method

    return mark


class Service:
    """Base of the shop's services. A handler takes an event and returns what the service tells because of it."""

    name: ClassVar[str]
    # The streams it reads, with a consumer group of its own name, and the one it publishes to.
    reads: ClassVar[tuple[str, ...]]
    writes: ClassVar[str]
    speech: ClassVar[Speech] = Speech.NATIVE
    retry: ClassVar[Retry] = Retry()
    # Whether it notices that it has handled an event before.
    remembers: bool = True

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.world = shop.world
        self.handlers: dict[str, Handler] = {}
        for attribute in dir(type(self)):
            for event_type in getattr(getattr(type(self), attribute), "handles", ()):
                self.handlers[event_type] = getattr(self, attribute)

    def envelope_of(self, cause: ShopEvent, event: ShopEvent) -> ShopEvent:
        """The event as it goes out: a service that forgets something overrides this."""
        return event


def order_id_of(event: ShopEvent) -> str:
    """The order that an event is about. Raises KeyError when it does not say."""
    data: dict[str, Any] = event.data
    return str(data["order_id"])
