"""Fields that tell of a person: left out at ingest, or shown only to those who may see them."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import msgspec
from django.http import HttpRequest

from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import allows
from eventhub.events.envelope import Event
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import Show
from eventhub.schemas.models import PersonalField, Treatment

LOOK_FOR_CHANGES_EVERY_S = 3.0
MASK = "•••"
SEE = "schemas.see_personal_data"

Steps = tuple[str, ...]


def steps_of(path: str) -> Steps:
    """``$.items[*].name`` as its steps. Raises ValueError for what is no such path."""
    if not path.startswith("$.") or ".." in path or path.endswith("."):
        raise ValueError(f"{path!r} is no path. Write it as $.customer.email or $.items[*].name.")
    return tuple(path[2:].replace("[*]", ".[*]").split("."))


def without(data: Any, paths: Sequence[Steps]) -> Any:
    """The data without these fields."""
    for steps in paths:
        data = _changed(data, steps, drop=True)
    return data


def masked(data: Any, paths: Sequence[Steps]) -> Any:
    """The data with a mask in place of these fields."""
    for steps in paths:
        data = _changed(data, steps, drop=False)
    return data


def _changed(data: Any, steps: Steps, *, drop: bool) -> Any:
    first, rest = steps[0], steps[1:]
    if first == "[*]":
        if not isinstance(data, list):
            return data
        return [_changed(item, rest, drop=drop) if rest else MASK for item in data]
    if not isinstance(data, dict) or first not in data:
        return data
    made = {**data}
    if rest:
        made[first] = _changed(made[first], rest, drop=drop)
    elif drop:
        del made[first]
    elif made[first] is not None:
        made[first] = MASK
    return made


class PersonalFields:
    """The marked fields of this installation, looked up again every few seconds. One for each thread."""

    def __init__(self) -> None:
        self._by_type: dict[str, dict[str, list[Steps]]] = {}
        self._look_at = 0.0

    def refresh(self) -> None:
        """Load them, if it is time to look."""
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK_FOR_CHANGES_EVERY_S
        found: dict[str, dict[str, list[Steps]]] = {}
        for name, path, treatment in PersonalField.objects.values_list(
            "event_type__name", "path", "treatment"
        ):
            found.setdefault(name, {}).setdefault(treatment, []).append(steps_of(path))
        self._by_type = found

    def dropped(self, event: Event) -> Event:
        """The event without what is not to be stored; the same event where nothing is."""
        fields = self._by_type.get(event.event_type)
        if fields is None or not (paths := fields.get(Treatment.DROP)):
            return event
        try:
            data = msgspec.json.decode(event.data)
        except msgspec.DecodeError:  # the store says what is wrong with it
            return event
        return msgspec.structs.replace(event, data=msgspec.json.encode(without(data, paths)).decode())

    def shown(self, event_type: str, data: Any) -> Any:
        """The data as those see it who may not see personal data."""
        self.refresh()
        fields = self._by_type.get(event_type)
        return masked(data, [path for paths in fields.values() for path in paths]) if fields else data


_fields = PersonalFields()


def show_to(request: HttpRequest) -> Show | None:
    """How events are shown to whoever asks; None to people with the permission and tokens that may configure."""
    token = getattr(request, "auth", None)
    may_see = allows(token, Scope.CONFIGURE) if isinstance(token, ApiToken) else request.user.has_perm(SEE)
    return None if may_see else _masked_event


def _masked_event(event: StoredEvent) -> StoredEvent:
    if event.data is None:
        return event
    value = event.value
    shown = _fields.shown(event.event_type, value)
    if shown is value:
        return event
    return msgspec.structs.replace(event, data=msgspec.json.encode(shown).decode())
