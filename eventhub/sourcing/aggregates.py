"""Aggregates: plain classes whose state is what their stream's events made of it.

from eventhub.sourcing.aggregates import aggregate

@aggregate("account", snapshot_every=100)
@dataclass
class Account:
    balance: int = 0
    def apply(self, event): ...
    def withdraw(self, amount) -> New: ...
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from django.db import connection, transaction

from eventhub.events.queries import StoredEvent
from eventhub.sourcing import reading, snapshots
from eventhub.sourcing.appending import ATTEMPTS, New, append, retrying
from eventhub.sourcing.errors import StreamTruncated

A = TypeVar("A", bound=Any)


class Loaded(msgspec.Struct, Generic[A], frozen=True):
    """An aggregate's state, and the version of the stream that made it."""

    stream: str
    version: int
    state: A


class Aggregate(Generic[A]):
    """A class of aggregates: how its streams are named, folded and snapshot."""

    def __init__(self, category: str, kind: type[A], snapshot_every: int, state_version: int) -> None:
        self.category = category
        self.kind = kind
        self.snapshot_every = snapshot_every
        # The form of the state. Snapshots of another form are not read.
        self.form = f"{category}/{state_version}"

    def stream(self, key: str) -> str:
        """The stream of the aggregate with this id: ``account-7``."""
        return f"{self.category}-{key}"

    def load(self, key: str, *, until: int | None = None) -> Loaded[A]:
        """The aggregate as it is now, or as it was at version `until`. A new one where nothing was appended.

        Raises StreamTruncated where retention dropped what is needed.
        """
        return self.load_stream(self.stream(key), until=until)

    def load_stream(self, stream: str, *, until: int | None = None) -> Loaded[A]:
        """As `load`, by the stream's whole name."""
        state, version = self._begin(stream, until)
        for event in reading.read(stream, after=version, until=until):
            if event.stream_version != version + 1:
                raise StreamTruncated(stream, version + 1, event.stream_version or 0)
            state.apply(event)
            version += 1
        return Loaded(stream, version, state)

    def change(
        self,
        key: str,
        decide: Callable[[A], New | Iterable[New] | None],
        *,
        attempts: int = ATTEMPTS,
        source: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> Loaded[A]:
        """Let `decide` look at the aggregate and say which events follow; append them; return what became of it.

        When somebody else appended meanwhile, `decide` is asked again with the new state, up to `attempts` times;
        inside a transaction of the caller's once. What `decide` raises is raised, and nothing is appended. Raises
        WrongVersion after the last attempt, and StreamEnded.
        """

        def once() -> Loaded[A]:
            loaded = self.load(key)
            decided = decide(loaded.state)
            new = [decided] if isinstance(decided, New) else list(decided or ())
            if not new:
                return loaded
            names = {"source": source, "correlation_id": correlation_id, "causation_id": causation_id}
            return self._appended(loaded, new, names)

        return once() if connection.in_atomic_block else retrying(once, attempts)()

    def _appended(self, loaded: Loaded[A], new: Sequence[New], names: dict[str, Any]) -> Loaded[A]:
        due = self.snapshot_every and (
            (loaded.version + len(new)) // self.snapshot_every > loaded.version // self.snapshot_every
        )
        if not due:
            appended = append(loaded.stream, new, expected=loaded.version, **names)
            return self._after(loaded, appended.version)
        with transaction.atomic():
            appended = append(loaded.stream, new, expected=loaded.version, **names)
            after = self._after(loaded, appended.version)
            snapshots.take(after.stream, self.form, after.version, after.state)
        return after

    def _after(self, loaded: Loaded[A], version: int) -> Loaded[A]:
        for event in reading.read(loaded.stream, after=loaded.version, until=version):
            loaded.state.apply(event)
        return Loaded(loaded.stream, version, loaded.state)

    def _begin(self, stream: str, until: int | None) -> tuple[A, int]:
        if self.snapshot_every and (found := snapshots.latest(stream, self.form, self.kind, until)):
            return found
        return self.kind(), 0


_by_category: dict[str, Aggregate[Any]] = {}


def aggregate(
    category: str, *, snapshot_every: int = 0, state_version: int = 1
) -> Callable[[type[A]], type[A]]:
    """Declare the decorated class as the aggregate of the streams ``<category>-<id>``.

    The class is made without arguments and has ``apply(event)``, which must not fail for what was once accepted. With
    `snapshot_every` its state is kept every so many events, so it has to be a dataclass or a msgspec Struct;
    `state_version` grows when the form of that state changes. Raises ValueError for what makes no sense.
    """
    if not category or "-" in category:
        raise ValueError(
            f"@aggregate({category!r}): needs a name without dashes; a stream's id follows the dash."
        )
    if snapshot_every < 0:
        raise ValueError(
            f"@aggregate(snapshot_every={snapshot_every}): needs a number of events, or 0 for none."
        )

    def declare(kind: type[A]) -> type[A]:
        if not callable(getattr(kind, "apply", None)):
            raise ValueError(f"@aggregate({category!r}): {kind.__name__} needs a method apply(self, event).")
        there = _by_category.get(category)
        if there is not None and there.kind.__qualname__ != kind.__qualname__:
            raise ValueError(
                f"@aggregate({category!r}): {there.kind.__qualname__} has this category already."
            )
        _by_category[category] = Aggregate(category, kind, snapshot_every, state_version)
        return kind

    return declare


def of(kind: type[A]) -> Aggregate[A]:
    """The aggregate that the class was declared as. Raises LookupError."""
    for found in _by_category.values():
        if found.kind is kind:
            return found
    raise LookupError(f"{kind.__name__} is not declared: put @aggregate(…) above it.")


def for_stream(stream: str) -> Aggregate[Any] | None:
    """The aggregate that a stream belongs to by its name; None where the code declares none."""
    return _by_category.get(stream.split("-", 1)[0])


def fold(state: A, events: Iterable[StoredEvent]) -> A:
    """`state` after `events`."""
    for event in events:
        state.apply(event)
    return state
