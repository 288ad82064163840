"""Which projections there are: filled by importing each app's ``projections.py``."""

import inspect
import re
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from eventhub.events.queries import StoredEvent
from eventhub.handlers.patterns import BadPattern, check, matches
from eventhub.sourcing.projecting.columns import columns

PartitionBy = Literal["stream", "correlation_id", "message_key"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_PARTITIONS = 64


class Follows(Protocol):
    """What a projection's class has."""

    # The rows of its table; the first field is the key.
    Row: type[msgspec.Struct]

    def key(self, event: StoredEvent) -> str | None:
        """The key of the row that the event changes; None for none."""

    def fold(self, row: Any, event: StoredEvent) -> Any:
        """The row after the event; `row` is None where there is none yet, and returning None deletes it."""


P = TypeVar("P", bound=type[Any])


class Declared(msgspec.Struct, frozen=True):
    """A projection as the code declares it."""

    name: str
    patterns: tuple[str, ...]
    follower: Any
    partitions: int
    partition_by: PartitionBy
    # Of the code. When it grows, the projection is rebuilt.
    version: int
    table: str
    indexes: tuple[str, ...]

    @property
    def row(self) -> type[msgspec.Struct]:
        """The Struct of its rows."""
        found: type[msgspec.Struct] = self.follower.Row
        return found

    @property
    def description(self) -> str:
        """The first paragraph of the class's docstring."""
        return " ".join((inspect.getdoc(type(self.follower)) or "").split("\n\n")[0].split())

    def wants(self, event_type: str) -> bool:
        """Whether events of this type are for it."""
        return matches(self.patterns, event_type)

    def like(self) -> list[str]:
        """Its patterns as PostgreSQL's LIKE reads them; they let through no less than `wants` does."""
        escaped = (re.sub(r"([\\%_])", r"\\\1", pattern) for pattern in self.patterns)
        return [pattern.replace("*", "%") for pattern in escaped]


_declared: dict[str, Declared] = {}


def projection(
    name: str,
    *patterns: str,
    partitions: int = 1,
    partition_by: PartitionBy = "stream",
    version: int = 1,
    indexes: tuple[str, ...] = (),
) -> Callable[[P], P]:
    """Keep the table ``projection_<name>`` as the decorated class makes it of the events of these types.

    With several `partitions` as many workers follow side by side; events with the same `partition_by` are always in the
    same one, so all events of a row must have it in common. Raises ValueError for what makes no sense.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"@projection({name!r}): needs a name of small letters, digits and _, at most 40.")
    if not patterns:
        raise ValueError(f'@projection({name!r}): needs event types, e.g. @projection({name!r}, "order.*").')
    for pattern in patterns:
        try:
            check(pattern)
        except BadPattern as error:
            raise ValueError(f"@projection({name!r}): {pattern!r} {error}") from error
    if not 1 <= partitions <= MOST_PARTITIONS:
        raise ValueError(f"@projection({name!r}, partitions={partitions}): needs 1 to {MOST_PARTITIONS}.")
    if partition_by not in ("stream", "correlation_id", "message_key"):
        raise ValueError(
            f"@projection({name!r}, partition_by={partition_by!r}): say stream or correlation_id."
        )

    def declare(kind: P) -> P:
        columns(kind.Row)
        there = _declared.get(name)
        if there is not None and type(there.follower).__qualname__ != kind.__qualname__:
            raise ValueError(
                f"@projection({name!r}): {type(there.follower).__qualname__} has this name already."
            )
        _declared[name] = Declared(
            name, patterns, kind(), partitions, partition_by, version, f"projection_{name}", indexes
        )
        return kind

    return declare


def declared() -> dict[str, Declared]:
    """All of them, by name."""
    return dict(_declared)
