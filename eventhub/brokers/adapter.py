"""The small interface behind which every broker stands."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from eventhub.access import outgoing
from eventhub.brokers.secrets.scrubbing import scrub
from eventhub.events.message import Message, OutgoingMessage

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source


class BrokerError(Exception):
    """The broker refused or could not be reached. The text says what to do, and holds no secret of a source."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(scrub(arg) if isinstance(arg, str) else arg for arg in args))


class Refused(BrokerError):
    """The broker took some messages and refused others: what was refused is surely not out, the rest is confirmed."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        """`reasons`: by the message's index in what was given to `publish`, why the broker refused it."""
        self.reasons = dict(reasons)
        others = f" (and {len(self.reasons) - 1:,} more)" if len(self.reasons) > 1 else ""
        super().__init__(f"{next(iter(self.reasons.values()))}{others}")


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
    # Where the group stands and where the log ends, as the broker numbers its messages; empty where it does not.
    position: str = ""
    end: str = ""
    # Who is connected to read it, and messages per second in and out; None where the broker does not tell.
    consumers: int | None = None
    in_per_s: float | None = None
    out_per_s: float | None = None
    # Waiting for their time; they are among `messages`. None where the broker knows nothing like it.
    delayed: int | None = None
    # How many messages the broker keeps there at most; None: no such limit.
    capacity: int | None = None
    # Who reads it now, by the broker's word: client and host.
    members: tuple[str, ...] = ()
    # Why `messages` is None, as a sentence.
    why_unknown: str = ""


class Place(msgspec.Struct, frozen=True):
    """What a broker tells of the place where a message would go; None where it cannot tell."""

    exists: bool | None = None
    # How many consumer groups, queues or consumers read it now.
    readers: int | None = None
    # What else a person should know before sending there, as a sentence; empty when there is nothing.
    note: str = ""


class Adapter(Protocol):
    """One connection to one broker for one Source. Not shared between threads."""

    def __init__(self, source: "Source", consumer: str) -> None:
        """`consumer` names this reader to the broker; the same name gets back what it left unacknowledged."""

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Up to `max_messages` new or redelivered messages; waits at most `timeout_s` for the first.

        Raises BrokerError.
        """

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Tell the broker that `batch` is safely stored. Raises BrokerError."""

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Publish, in this order for each key; returns only after the broker confirmed all of them.

        Raises Refused when the broker confirmed some and refused others (no such topic, too large, unroutable), and
        any other BrokerError when it cannot be told which of them are out: the connection broke.
        """

    def lag(self) -> list[Lag]:
        """What waits now, for every topic of the source. Raises BrokerError."""

    def peek(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Up to `max_messages` of those that are there, the newest first; none is taken from any reader.

        Works for a source that no worker has run yet. Waits at most about `timeout_s`. Raises BrokerError. What it does
        to the messages beside showing them, an adapter says in a sentence, its attribute `COST_OF_PEEKING`.
        """

    def place_of(self, message: OutgoingMessage) -> Place:
        """What is there where `message` would go, asked without sending anything. Raises BrokerError."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""


@runtime_checkable
class HandsOver(Protocol):
    """An adapter whose broker moves what it reads (partitions) from one worker to another while they read."""

    def before_handover(self, settle: Callable[[], None]) -> None:
        """Call `settle` during `poll`, before anything is given up.

        When it returns, what was polled before is stored and acknowledged. What it raises, `poll` raises.
        """


@runtime_checkable
class WatchesAll(Protocol):
    """An adapter whose broker tells of every consumer group and queue, also of those that no source reads."""

    @property
    def broker(self) -> str:
        """What the broker is called; sources with the same one are on the same broker, which is asked once."""

    def everything(self) -> list[Lag]:
        """What waits for every group and in every queue that these credentials may see. Raises BrokerError."""


@runtime_checkable
class StaysConnected(Protocol):
    """An adapter whose broker hangs up on who does not listen, be it because a batch takes its time."""

    def stay_connected(self) -> None:
        """Take in what the broker sends; called every few seconds while nothing is polled. Raises BrokerError."""


@runtime_checkable
class TellsProblems(Protocol):
    """An adapter that can go on although something is wrong."""

    def problems(self) -> list[str]:
        """What is wrong now without stopping the rest (a topic that is not there), as sentences that say what to do."""


def adapter_class(kind: str) -> Any:
    """The adapter class for a kind of broker, from ``settings.BROKER_ADAPTERS``; raises BadConfig."""
    try:
        return import_string(settings.BROKER_ADAPTERS[kind])
    except KeyError:
        known = ", ".join(sorted(settings.BROKER_ADAPTERS))
        raise BadConfig(f"No adapter for broker kind {kind!r}. Known kinds: {known}.") from None


def is_polled(source: "Source") -> bool:
    """Whether a worker loop reads this source; what is sent over HTTP comes by itself."""
    return source.kind in settings.BROKER_ADAPTERS


def open_adapter(source: "Source", consumer: str = "eventhub") -> Adapter:
    """Connect to the broker of `source`. Raises BrokerError, also for an address that is not allowed."""
    try:
        outgoing.check_config(source.config)
    except outgoing.NotAllowed as error:
        raise BadConfig(str(error)) from error
    adapter: Adapter = adapter_class(source.kind)(source, consumer)
    return adapter
