"""The small interface behind which every broker stands."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from eventhub.brokers.models import Source
from eventhub.events.message import Message, OutgoingMessage


class BrokerError(Exception):
    """The broker refused or could not be reached. The text says what to do."""


class BadConfig(BrokerError):
    """The source's config is wrong. The text names the key and what it should hold."""


class Lag(msgspec.Struct, frozen=True):
    """What waits for one consumer group on one topic or queue."""

    topic: str
    group: str
    # Messages not yet delivered; None where the broker cannot tell (not the same as zero).
    messages: int | None
    # Delivered and not yet acknowledged.
    pending: int | None = None
    partition: int | None = None
    # How long the oldest waiting message has waited.
    oldest_age: timedelta | None = None


class Adapter(Protocol):
    """One connection to one broker for one Source. Not shared between threads."""

    def __init__(self, source: Source, consumer: str) -> None:
        """`consumer` names this reader to the broker; the same name gets back what it left unacknowledged."""

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Up to `max_messages` new or redelivered messages; waits at most `timeout_s` for the first.

        Raises BrokerError.
        """

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Tell the broker that `batch` is safely stored. Raises BrokerError."""

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Publish; returns only after the broker confirmed all of them. Raises BrokerError."""

    def lag(self) -> list[Lag]:
        """What waits now, for every topic of the source. Raises BrokerError."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""


def adapter_class(kind: str) -> Any:
    """The adapter class for a kind of broker, from ``settings.BROKER_ADAPTERS``; raises BadConfig."""
    try:
        return import_string(settings.BROKER_ADAPTERS[kind])
    except KeyError:
        known = ", ".join(sorted(settings.BROKER_ADAPTERS))
        raise BadConfig(f"No adapter for broker kind {kind!r}. Known kinds: {known}.") from None


def is_polled(source: Source) -> bool:
    """Whether a worker loop reads this source; what is sent over HTTP comes by itself."""
    return source.kind in settings.BROKER_ADAPTERS


def open_adapter(source: Source, consumer: str = "eventhub") -> Adapter:
    """Connect to the broker of `source`. Raises BrokerError."""
    adapter: Adapter = adapter_class(source.kind)(source, consumer)
    return adapter
