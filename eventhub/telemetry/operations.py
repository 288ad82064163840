"""What EventHub does, told to OpenTelemetry: a span of each operation, and how long such take.

Off unless the usual variables of OpenTelemetry say where to (``eventhub.telemetry.exporting``), and then free:
`operation` returns the same object that does nothing, and nothing of the SDK is loaded.
"""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, TypeAlias

Value: TypeAlias = str | int | float | bool


class Operation(Protocol):
    """A piece of work that is under way; a context manager."""

    def __enter__(self) -> "Operation": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def set(self, **attributes: Value) -> None:
        """Say more of it, as soon as it is known."""

    def rename(self, name: str) -> None:
        """Call its span so; its metrics keep their name."""

    def fail(self, why: str) -> None:
        """It did not do what it was to do, though nothing was raised. `why` is a word, not a message."""


class Sink(Protocol):
    """Where operations are told to."""

    def begin(
        self, name: str, items: int, caller: Mapping[str, str] | None, attributes: Mapping[str, Value]
    ) -> Operation:
        """An operation that begins."""


class _Untold:
    def __enter__(self) -> Operation:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, **attributes: Value) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def fail(self, why: str) -> None:
        pass


_UNTOLD = _Untold()
_sink: Sink | None = None
_is_decided = False


def operation(
    name: str, *, items: int = 1, caller: Mapping[str, str] | None = None, **attributes: Value
) -> Operation:
    """A piece of work called `name` that deals with so many `items`; use it with ``with``.

    `caller` are headers that may say which trace it belongs to. Attributes hold no payloads and no secrets. An
    underscore in their names stands for a dot, two for one underscore.
    """
    if not _is_decided:
        _decide()
    if _sink is None:
        return _UNTOLD
    return _sink.begin(name, items, caller, attributes)


def is_told() -> bool:
    """Whether anybody listens."""
    if not _is_decided:
        _decide()
    return _sink is not None


def tell(sink: Sink | None) -> None:
    """From now on tell `sink`; None: nobody."""
    global _sink, _is_decided
    _sink, _is_decided = sink, True


def _decide() -> None:
    # At the first operation, which in a worker comes after the fork.
    tell(None)
    if any(name.startswith("OTEL_") for name in os.environ):
        from eventhub.telemetry import exporting

        exporting.start()
