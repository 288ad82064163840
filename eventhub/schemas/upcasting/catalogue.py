"""Steps that people write in the catalogue: from version to version, a JMESPath and defaults.

Whoever reads asks for a version, and the steps in between are applied in their order.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from eventhub.events.queries import StoredEvent
from eventhub.events.versions import NoWay
from eventhub.schemas.models import SchemaStatus, SchemaVersion

LOOK_FOR_CHANGES_EVERY_S = 3.0


class CannotUpcast(NoWay):
    """There is no way from the event's version to the one that was asked for, or a step of it fails on this event."""


class Step(msgspec.Struct, frozen=True):
    """How data of the version before becomes data of `version`."""

    version: str
    # JMESPath over the data; empty: the data as it is.
    expression: str = ""
    # What stands in where the result lacks a member, also deep inside.
    defaults: dict[str, Any] = {}


def step_of(version: str, written: Any) -> Step:
    """A step as people write it: {"expression": …, "defaults": {…}}; None changes nothing. Raises ValueError."""
    if written is None:
        return Step(version)
    if not isinstance(written, dict) or written.keys() - {"expression", "defaults"}:
        raise ValueError(
            'An upcast is {"expression": "a JMESPath", "defaults": {…}}; either may be left out.'
        )
    expression, defaults = written.get("expression", ""), written.get("defaults", {})
    if not isinstance(expression, str) or not isinstance(defaults, dict):
        raise ValueError("The expression of an upcast is a text, its defaults are an object.")
    if expression:
        try:
            jmespath.compile(expression)
        except (JMESPathError, RecursionError) as error:
            raise ValueError(f"The expression is no JMESPath: {error}") from error
    return Step(version, expression, defaults)


def apply(steps: Sequence[Step], data: Any) -> Any:
    """The data after all steps, in their order. Raises CannotUpcast."""
    for step in steps:
        if step.expression:
            try:
                data = jmespath.search(step.expression, data)
            except (JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
                raise CannotUpcast(f"The upcast to version {step.version} fails: {error}") from error
        data = _filled(data, step.defaults)
    return data


def _filled(data: Any, defaults: dict[str, Any]) -> Any:
    if not defaults or not isinstance(data, dict):
        return data
    made = {**data}
    for name, default in defaults.items():
        # JMESPath says null for what is not there.
        if made.get(name) is None:
            made[name] = default
        elif isinstance(default, dict):
            made[name] = _filled(made[name], default)
    return made


class Upcasters:
    """The steps of this installation, looked up again every few seconds."""

    def __init__(self) -> None:
        self._by_type: dict[str, list[Step]] = {}
        self._look_at = 0.0

    def upcast(self, event_type: str, version: str | None, data: Any, wanted: str) -> Any:
        """Data of `version` as `wanted` has it; data that is of it already, as it is. Raises CannotUpcast."""
        if version == wanted:
            return data
        return apply(self.way(event_type, version, wanted), data)

    def read(self, event: StoredEvent, wanted: str) -> StoredEvent:
        """A stored event as the version `wanted` has it. Raises CannotUpcast."""
        if event.event_version == wanted or event.data is None:
            return event
        data = self.upcast(event.event_type, event.event_version, event.value, wanted)
        return msgspec.structs.replace(event, data=msgspec.json.encode(data).decode(), event_version=wanted)

    def way(self, event_type: str, version: str | None, wanted: str) -> list[Step]:
        """The steps between two versions; an event without one is of the first. Raises CannotUpcast."""
        self._refresh()
        steps = self._by_type.get(event_type, [])
        names = [step.version for step in steps]
        if wanted not in names:
            raise CannotUpcast(f"{event_type} has no published version {wanted}.")
        if version and version not in names:
            raise CannotUpcast(f"{event_type} has no published version {version}, which this event is of.")
        start, end = (names.index(version) if version else 0), names.index(wanted)
        if start > end:
            raise CannotUpcast(f"This event is of version {version}, which is newer than {wanted}.")
        return steps[start + 1 : end + 1]

    def forget(self) -> None:
        """Look again at the next need."""
        self._look_at = 0.0

    def _refresh(self) -> None:
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK_FOR_CHANGES_EVERY_S
        rows = SchemaVersion.objects.exclude(status=SchemaStatus.DRAFT).order_by("number")
        found: dict[str, list[Step]] = {}
        for name, version, written in rows.values_list("event_type__name", "version", "upcast"):
            found.setdefault(name, []).append(step_of(version, written))
        self._by_type = found


# For whoever shows events; handlers have one for each thread.
known_steps = Upcasters()
