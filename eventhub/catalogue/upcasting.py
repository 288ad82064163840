"""An upcast that somebody is writing, tried on events that were stored."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from dlq.edits.comparing import Row, compare
from eventhub.events import queries
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import Show
from eventhub.schemas.models import SchemaStatus, SchemaVersion
from eventhub.schemas.textual import text_of
from eventhub.schemas.upcasting.catalogue import CannotUpcast, apply, step_of
from eventhub.schemas.validation import compile_schema, explain

TRIED, LOOKED_AT = 5, 300


class Tried(msgspec.Struct, frozen=True):
    """What an upcast makes of one event."""

    event: StoredEvent
    made: Any = None
    rows: Sequence[Row] = ()
    # How the result breaks the schema of the version that it is for.
    breaches: Sequence[str] = ()
    failure: str = ""


def parse(text: str) -> Any:
    """An upcast as it was typed; None for an empty text. Raises ValueError, in words."""
    if not text.strip():
        return None
    try:
        written = json.loads(text)
    except ValueError as error:
        raise ValueError(f"This is not JSON: {error}.") from error
    step_of("", written)
    return written


def before(version: SchemaVersion) -> SchemaVersion | None:
    """The published version whose events the upcast is for."""
    earlier = version.event_type.versions.exclude(status=SchemaStatus.DRAFT)
    return earlier.filter(number__lt=version.number).order_by("-number").first()


def try_on_events(version: SchemaVersion, written: Any, show: Show) -> list[Tried]:
    """The upcast to `version`, tried on the latest events of the version before it."""
    earlier = before(version)
    if earlier is None:
        return []
    names = {earlier.version} if earlier.number > 1 else {earlier.version, None}
    latest = queries.latest_of_type(version.event_type.name, LOOKED_AT)
    events = [event for event in latest if event.event_version in names and event.data is not None]
    return [_try(show(event), version, written) for event in events[:TRIED]]


def _try(event: StoredEvent, version: SchemaVersion, written: Any) -> Tried:
    try:
        made = apply([step_of(version.version, written)], event.value)
    except CannotUpcast as error:
        return Tried(event, failure=str(error))
    breaches = explain(compile_schema(version.schema), made)
    return Tried(event, made, compare(text_of(event.value), text_of(made)), breaches)
