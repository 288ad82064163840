"""What a search for traces looks for, as values."""

from datetime import datetime
from typing import Literal

import msgspec

StateFilter = Literal["", "trouble", "dead", "failed", "running", "ok"]


class Absence(msgspec.Struct, frozen=True):
    """``present but not absent within …``: an event after which another one did not come in time."""

    present: str
    absent: str
    within_s: float


class TraceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; what is empty or None does not matter."""

    # Words that must all occur somewhere in the trace: ids, types, services, streams, values in payloads.
    words: tuple[str, ...] = ()
    # "trouble" is failed or dead.
    state: StateFilter = ""
    event_type: str = ""
    service: str = ""
    min_s: float | None = None
    max_s: float | None = None
    # Something of it happened in [start, end).
    start: datetime | None = None
    end: datetime | None = None
    # Events without a correlation id, each alone, instead of traces.
    uncorrelated: bool = False
    # Further types that it must, and must not hold, and further services that take part.
    types: tuple[str, ...] = ()
    without_types: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    # Values of searchable attributes, in lower case, by name.
    attributes: tuple[tuple[str, str], ...] = ()
    absence: Absence | None = None
    # It holds a hop that took much longer than such hops do.
    slow: bool = False
