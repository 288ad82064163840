"""The compatibility levels, and a new version judged by one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from eventhub.schemas.compatibility.comparing import differences
from eventhub.schemas.compatibility.difference import Difference


class Level(StrEnum):
    """Who must be able to read whose events, as Confluent's registry names it."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def is_backward(self) -> bool:
        """New consumers read events of earlier versions."""
        return self.startswith(("BACKWARD", "FULL"))

    @property
    def is_forward(self) -> bool:
        """Consumers of earlier versions read new events."""
        return self.startswith(("FORWARD", "FULL"))

    @property
    def is_transitive(self) -> bool:
        """Against every earlier version, not the last alone."""
        return self.endswith("_TRANSITIVE")


class Breach(msgspec.Struct, frozen=True):
    """A difference, with the version and the direction in which it was found."""

    # The earlier version.
    version: str
    # ``backward`` (the new version reads its events) or ``forward`` (it reads the new version's).
    direction: str
    difference: Difference


class Verdict(msgspec.Struct, frozen=True):
    """Whether a new version may follow the earlier ones."""

    level: Level
    # Every difference that was found, those that break first.
    found: Sequence[Breach]

    @property
    def breaches(self) -> list[Breach]:
        """What is not compatible."""
        return [one for one in self.found if not one.difference.is_compatible]

    @property
    def is_compatible(self) -> bool:
        """Whether nothing breaks."""
        return not self.breaches


def judge(
    level: Level, schema: Any, earlier: Sequence[tuple[str, Any]], *, name: str = "this version"
) -> Verdict:
    """A new schema against the earlier ones, given as (version, schema), the oldest first."""
    against = earlier if level.is_transitive else earlier[-1:]
    found: list[Breach] = []
    for version, other in reversed(against):
        theirs = f"version {version}"
        if level.is_backward:
            found += [
                Breach(version, "backward", one) for one in differences(other, schema, names=(theirs, name))
            ]
        if level.is_forward:
            found += [
                Breach(version, "forward", one) for one in differences(schema, other, names=(name, theirs))
            ]
    return Verdict(level, sorted(found, key=lambda one: one.difference.is_compatible))
