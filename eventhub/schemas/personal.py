"""Fields that tell of a person: left out at ingest, or shown only to those who may see them."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from eventhub.access import seen
from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import allows
from eventhub.events.envelope import Event
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import Show
from eventhub.schemas.models import PersonalField, Treatment

LOOK_FOR_CHANGES_EVERY_S = 3.0
MASK = "•••"
SEE = "schemas.see_personal_data"
WITHHELD = b"(withheld: it holds personal data, and cannot be shown in part)"

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

    def marked(self, event_type: str) -> bool:
        """Whether any field of this type is marked."""
        self.refresh()
        return event_type in self._by_type

    def shown(self, event_type: str, data: Any) -> Any:
        """The data as those see it who may not see personal data."""
        self.refresh()
        fields = self._by_type.get(event_type)
        return masked(data, [path for paths in fields.values() for path in paths]) if fields else data


_fields = PersonalFields()


def show_to(request: HttpRequest) -> Show:
    """How events are shown to whoever asks: masked, or whole and noted for the audit log."""
    if not may_see(request):
        return _masked_event

    def whole(event: StoredEvent) -> StoredEvent:
        if event.data is not None and _fields.marked(event.event_type):
            seen.note(request, event.event_type, event.event_id)
        return event

    return whole


def may_see(request: HttpRequest) -> bool:
    """Whether whoever asks may see personal data: people with the permission, tokens that may configure."""
    token = getattr(request, "auth", None)
    return allows(token, Scope.CONFIGURE) if isinstance(token, ApiToken) else request.user.has_perm(SEE)


def is_hidden(request: HttpRequest, event_type: str | None) -> bool:
    """Whether whoever asks may not see everything in messages of this type."""
    return bool(event_type) and _fields.marked(event_type or "") and not may_see(request)


def require(request: HttpRequest, event_type: str | None) -> None:
    """Raises PermissionDenied where personal data would be shown whole to who may not see it."""
    if is_hidden(request, event_type):
        raise PermissionDenied(
            f"{event_type} holds personal data. To see and change it you need the role “editor”, or the permission "
            "“Can see personal data of events”."
        )


def body_shown_to(request: HttpRequest, event_type: str | None, body: bytes, name: str) -> bytes:
    """The raw body of a message of this type as whoever asks may see it; `name` is what the audit log calls it."""
    if not event_type or not _fields.marked(event_type):
        return body
    if may_see(request):
        seen.note(request, event_type, name)
        return body
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return WITHHELD
    if not isinstance(value, dict) or "data" not in value:
        return WITHHELD  # of another layout: where its fields are is not known
    return msgspec.json.encode(value | {"data": _fields.shown(event_type, value["data"])})


def _masked_event(event: StoredEvent) -> StoredEvent:
    if event.data is None:
        return event
    value = event.value
    shown = _fields.shown(event.event_type, value)
    if shown is value:
        return event
    return msgspec.structs.replace(event, data=msgspec.json.encode(shown).decode())
