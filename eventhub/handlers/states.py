"""The rows of the declared handlers, made where they are missing, and read again every second."""

from collections.abc import Mapping
from time import monotonic

from eventhub.handlers import registry
from eventhub.handlers.models import Handler

READ_EVERY_S = 1.0


class _Known:
    """What this process read last."""

    rows: Mapping[str, Handler] = {}
    until = 0.0
    names: frozenset[str] = frozenset()


def current() -> Mapping[str, Handler]:
    """The rows of the declared handlers by name, at most a second old.

    Call it outside of the transaction that uses it: a row made by one that is rolled back would be remembered.
    """
    names = frozenset(registry.subscriptions())
    if monotonic() >= _Known.until or names != _Known.names:
        _Known.rows = _read(names)
        _Known.names = names
        _Known.until = monotonic() + READ_EVERY_S
    return _Known.rows


def forget() -> None:
    """Read anew at the next call: somebody changed a row here."""
    _Known.until = 0.0


def _read(names: frozenset[str]) -> dict[str, Handler]:
    found = {row.name: row for row in Handler.objects.filter(name__in=names)}
    missing = sorted(names - found.keys())
    if missing:
        Handler.objects.bulk_create([Handler(name=name) for name in missing], ignore_conflicts=True)
        found |= {row.name: row for row in Handler.objects.filter(name__in=missing)}
    return found
