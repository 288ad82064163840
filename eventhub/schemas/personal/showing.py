"""What of events and messages whoever asks may see of personal fields."""

from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from eventhub.access import seen
from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import allows
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import Show
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.paths import MASK, values_at
from eventhub.schemas.personal.sealing import PREFIX, opened
from eventhub.schemas.personal.telling import hidden_in

SEE = "schemas.see_personal_data"
WITHHELD = b"(withheld: it holds personal data, and cannot be shown in part)"


def show_to(request: HttpRequest) -> Show:
    """How events are shown to whoever asks: masked, or whole and noted for the audit log."""
    if not may_see(request):
        return masked_event

    def whole(event: StoredEvent) -> StoredEvent:
        if event.data is not None and (fields.marked(event.event_type) or PREFIX in event.data):
            seen.note(request, event.event_type, event.event_id)
        return opened(event)

    return whole


def may_see(request: HttpRequest) -> bool:
    """Whether whoever asks may see personal data: people with the permission, tokens that may configure."""
    token = getattr(request, "auth", None)
    return allows(token, Scope.CONFIGURE) if isinstance(token, ApiToken) else request.user.has_perm(SEE)


def is_hidden(request: HttpRequest, event_type: str | None) -> bool:
    """Whether whoever asks may not see everything in messages of this type."""
    return bool(event_type) and fields.marked(event_type or "") and not may_see(request)


def require(request: HttpRequest, event_type: str | None) -> None:
    """Raises PermissionDenied where personal data would be shown whole to who may not see it."""
    if is_hidden(request, event_type):
        raise PermissionDenied(
            f"{event_type} holds personal data. To see and change it you need the role “editor”, or the permission "
            "“Can see personal data of events”."
        )


def body_shown_to(request: HttpRequest, event_type: str | None, body: bytes, name: str) -> bytes:
    """The raw body of a message of this type as whoever asks may see it; `name` is what the audit log calls it."""
    if not event_type or not fields.marked(event_type):
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
    return msgspec.json.encode(value | {"data": fields.shown(event_type, value["data"])})


def masked_event(event: StoredEvent) -> StoredEvent:
    """The event as those see it who may not see personal data."""
    if event.data is None:
        return event
    shown = fields.shown_text(event.event_type, event.data)
    return event if shown is event.data else msgspec.structs.replace(event, data=shown)


def blind(request: HttpRequest) -> Show | None:
    """How events are read on behalf of who may not see personal data, as in a search; None for who may."""
    return None if may_see(request) else masked_event


def told_of(request: HttpRequest, value: Any, events: list[StoredEvent]) -> Any:
    """A value that code worked out of `events` (a stream's state, a saga's data), as whoever asks may see it.

    Where in it personal data went, nobody knows; so what stands in a marked field of the events is masked anywhere.
    """
    hidden = [
        one
        for event in events
        if event.data is not None
        for one in values_at(opened(event).value, fields.paths(event.event_type))
    ]
    if not hidden:
        return value
    if may_see(request):
        for event in events:
            if fields.marked(event.event_type):
                seen.note(request, event.event_type, event.event_id)
        return value
    return _told(value, hidden)


def _told(value: Any, hidden: list[Any]) -> Any:
    if isinstance(value, dict):
        return {name: _told(one, hidden) for name, one in value.items()}
    if isinstance(value, list):
        return [_told(one, hidden) for one in value]
    if isinstance(value, str):
        return MASK if value in hidden else hidden_in(value, hidden)
    return MASK if value is not None and not isinstance(value, bool) and value in hidden else value
