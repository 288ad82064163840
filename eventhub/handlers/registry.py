"""Which functions handle which events: filled by importing the modules that declare them.

``handlers.py`` of every installed app is imported at start, and the modules in ``settings.EVENT_HANDLERS``.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, TypeVar

from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from eventhub.events.queries import StoredEvent
from eventhub.handlers.breaker import Breaker
from eventhub.handlers.patterns import BadPattern, check, matches
from eventhub.handlers.retry import Retry

OrderBy = Literal["correlation_id", "stream"]
Function = Callable[[StoredEvent], object]
F = TypeVar("F", bound=Function)

DEFAULT_TIMEOUT_S = 30.0
# PostgreSQL keeps the ids of 64 subtransactions of a transaction at hand; each delivery's savepoint is one.
MOST_IN_BATCH = 50
# Types of which it is remembered who handles them.
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A function that handles events, with what it asked for."""

    name: str
    patterns: tuple[str, ...]
    function: Function
    retry: Retry
    timeout_s: float
    order_by: OrderBy | None
    # How many of its deliveries run at the same time, over all workers; None: as many as workers have room for.
    concurrency: int | None
    # Deliveries that share one transaction, each in a savepoint of its own.
    batch: int
    breaker: Breaker | None
    # The version of events that the function reads: older ones are upcast to it. None: as they are stored.
    version: str | None = None

    @property
    def place(self) -> str:
        """Where it is written: ``shop.handlers.create_shipment``."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def description(self) -> str:
        """The first paragraph of its docstring."""
        return " ".join((inspect.getdoc(self.function) or "").split("\n\n")[0].split())

    def wants(self, event_type: str) -> bool:
        """Whether events of this type are for it."""
        return matches(self.patterns, event_type)

    def order_key(self, correlation_id: str | None, stream: str | None) -> str | None:
        """What its deliveries are kept in order by; None: this one stands alone."""
        if self.order_by is None:
            return None
        return correlation_id if self.order_by == "correlation_id" else stream


# In the order of declaration; a name that is there twice is for the system check to refuse.
_declared: list[Subscription] = []
_by_type: dict[str, tuple[Subscription, ...]] = {}


def handles(
    *patterns: str,
    name: str | None = None,
    retry: Retry | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    order_by: OrderBy | None = None,
    concurrency: int | None = None,
    batch: int = MOST_IN_BATCH,
    breaker: Breaker | None = Breaker(),  # noqa: B008 - frozen
    version: str | None = None,
) -> Callable[[F], F]:
    """Have the decorated function called with each event whose type fits one of `patterns` (docs/handlers.md).

    `name` is what it is known by, for ever; without one, the function's own name with dashes. Raises ValueError for
    values that make no sense; bad patterns and names are told by ``manage.py check``.
    """
    if not patterns:
        raise ValueError('@handles() needs an event type, e.g. @handles("order.placed").')
    if timeout_s <= 0:
        raise ValueError(f"@handles(timeout_s={timeout_s}): needs a number of seconds above 0.")
    if order_by not in (None, "correlation_id", "stream"):
        raise ValueError(f'@handles(order_by={order_by!r}): say "correlation_id", "stream" or None.')
    if concurrency is not None and not 1 <= concurrency <= 1_000:
        raise ValueError(f"@handles(concurrency={concurrency}): needs a number from 1 to 1000, or None.")
    if not 1 <= batch <= MOST_IN_BATCH:
        raise ValueError(f"@handles(batch={batch}): needs a number from 1 to {MOST_IN_BATCH}.")

    def declare(function: F) -> F:
        _declared.append(
            Subscription(
                name=name if name is not None else function.__name__.replace("_", "-"),
                patterns=patterns,
                function=function,
                retry=retry or Retry(),
                timeout_s=timeout_s,
                order_by=order_by,
                concurrency=concurrency,
                batch=batch,
                breaker=breaker,
                version=version,
            )
        )
        _by_type.clear()
        return function

    return declare


def declared() -> list[Subscription]:
    """All of them, in the order of declaration, those with a taken name too."""
    return list(_declared)


def subscriptions() -> dict[str, Subscription]:
    """By name; of a name that was given twice, the first."""
    found: dict[str, Subscription] = {}
    for subscription in _declared:
        found.setdefault(subscription.name, subscription)
    return found


def subscribers(event_type: str) -> tuple[Subscription, ...]:
    """Who handles events of this type."""
    found = _by_type.get(event_type)
    if found is None:
        if len(_by_type) >= MOST_REMEMBERED:
            _by_type.clear()
        found = tuple(one for one in subscriptions().values() if _wants(one, event_type))
        _by_type[event_type] = found
    return found


def discover() -> None:
    """Import the modules that declare handlers. An error in one of them is raised: it must not go unseen."""
    autodiscover_modules("handlers")
    for module in settings.EVENT_HANDLERS:
        import_module(module)


def _wants(subscription: Subscription, event_type: str) -> bool:
    good = []
    for pattern in subscription.patterns:
        try:
            check(pattern)
        except BadPattern:
            continue  # the system check tells of it; the others still count
        good.append(pattern)
    return matches(good, event_type)
