"""Checking events against the schemas of their types, with compiled validators.

An event is checked against the version that its `event_version` names; one that names none, against its type's default
version. Where there is no active schema, nothing is checked. The validators are compiled once and looked up by
(type, version); every few seconds one small query finds out whether a schema was changed.
"""

import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import jsonschema_rs
import msgspec
from django.db.models import Count, Max

from eventhub.events.envelope import Event
from eventhub.schemas.models import EventType, SchemaSettings, SchemaStatus, SchemaVersion, ValidationMode
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.paths import Steps, touches
from eventhub.schemas.quick import acceptor

log = logging.getLogger(__name__)

LOOK_FOR_CHANGES_EVERY_S = 3.0
FINDINGS_SHOWN = 5
# Keywords whose breaches name members and quote no value.
NAMING_ONLY = {"required", "additionalProperties", "unevaluatedProperties", "dependentRequired"}


class Finding(msgspec.Struct, frozen=True):
    """How an event breaks its schema."""

    # ``$.items[0].qty: "2" is not of type "integer"``, one line a breach.
    message: str
    # Whether the type's mode keeps such events out of the store.
    is_enforced: bool


class _Checked(msgspec.Struct, frozen=True):
    """A schema, ready to check events."""

    validator: Any
    is_enforced: bool
    # Says yes to most events that fit, in a fraction of the validator's time.
    accepts: Callable[[str], bool] | None


class Validators:
    """The compiled schemas of this installation. One for each thread that validates."""

    def __init__(self) -> None:
        self._by_type: dict[tuple[str, str], _Checked] = {}
        self._state: object = None
        self._look_at = 0.0

    def refresh(self) -> None:
        """Load what changed, if it is time to look."""
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK_FOR_CHANGES_EVERY_S
        default_mode = SchemaSettings.load().validation
        state = (
            default_mode,
            SchemaVersion.objects.aggregate(n=Count("id"), at=Max("changed_at")),
            sorted(
                EventType.objects.filter(versions__isnull=False)
                .values_list("id", "validation", "default_version")
                .distinct()
            ),
        )
        if state != self._state:
            self._by_type, self._state = self._compiled(default_mode), state

    def _compiled(self, default_mode: str) -> dict[tuple[str, str], _Checked]:
        rows = SchemaVersion.objects.filter(status=SchemaStatus.ACTIVE).select_related("event_type")
        by_type: dict[tuple[str, str], _Checked] = {}
        for row in rows:
            event_type = row.event_type
            mode = event_type.validation
            mode = default_mode if mode == ValidationMode.DEFAULT else mode
            if mode == ValidationMode.OFF:
                continue
            try:
                validator = compile_schema(row.schema)
                known = _Checked(validator, mode == ValidationMode.ENFORCE, acceptor(row.schema))
            except ValueError as error:  # the admin lets none in; one written past it must not stop ingest
                log.error(
                    "%s version %s is not checked, its schema is none: %s", event_type, row.version, error
                )
                continue
            by_type[event_type.name, row.version] = known
            if event_type.default_version == row.version:
                by_type[event_type.name, ""] = known
        return by_type

    def has_schema(self, event: Event) -> bool:
        """Whether there is a schema that `check` holds the event against."""
        return (event.event_type, event.event_version or "") in self._by_type

    def check(self, event: Event) -> Finding | None:
        """What is wrong with the event's data, or None."""
        known = self._by_type.get((event.event_type, event.event_version or ""))
        if known is None:
            return None
        if known.accepts is not None and known.accepts(event.data):
            return None
        try:
            data = msgspec.json.decode(event.data)
            breaches = explain(known.validator, data, fields.paths(event.event_type))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            breaches = [f"$: cannot be checked: {error}"]
        return Finding("\n".join(breaches), known.is_enforced) if breaches else None


def compile_schema(schema: Any) -> Any:
    """A validator for a JSON Schema (2020-12 unless it says otherwise).

    References to other addresses are not followed: what a person writes into the admin must not make the server
    fetch things. Raises ValueError when the schema is not one.
    """
    return jsonschema_rs.validator_for(schema, retriever=_refuse_to_fetch, validate_formats=True)


def explain(validator: Any, data: Any, marked: Sequence[Steps] = ()) -> list[str]:
    """The first few breaches of `data`, each with its path; empty when it is valid.

    What stands in or around a field of `marked` is not quoted: breaches are kept, and read by everybody.
    """
    if validator.is_valid(data):
        return []
    lines: list[str] = []
    for error in validator.iter_errors(data):
        if len(lines) == FINDINGS_SHOWN:
            lines.append("… and more")
            break
        lines.append(f"{_path(error.instance_path)}: {_said(error, marked)[:500]}")
    return lines


def _said(error: Any, marked: Sequence[Steps]) -> str:
    keyword = str(error.schema_path[-1]) if error.schema_path else "schema"
    if keyword in NAMING_ONLY or not any(touches(error.instance_path, steps) for steps in marked):
        return str(error.message)
    return f'breaks the schema ("{keyword}")'


def _path(parts: list[str | int]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _refuse_to_fetch(uri: str) -> Any:
    raise ValueError(f"$ref {uri!r} points outside of the schema. Put what it refers to under $defs.")
