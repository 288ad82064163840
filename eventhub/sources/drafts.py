"""A source as it would be: put together from what a person or a script gave, checked, not saved."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from eventhub.brokers import config as configs
from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.models import Role, Source
from eventhub.brokers.secrets import keeping, keys, parts
from eventhub.brokers.secrets.scrubbing import DOTS
from eventhub.events import mapping

# What a source is called when it is tried before it has a name.
UNNAMED = "new-source"
# Addresses of pages: no source can be called so.
RESERVED = {"add"}
NAME = re.compile(r"[-a-zA-Z0-9_]{1,60}")
# Any expression: so that a field's own is checked without the others.
ANY_TYPE = {"event_type": "'x'"}


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for a source."""

    name: str
    kind: str
    role: str = Role.EVENTS
    enabled: bool = True
    # Secrets may stand in it; dots mean that the secret there stays as it is.
    config: dict[str, Any] = {}
    # Secrets by name, see eventhub.brokers.secrets.parts; None takes one away. What is not named here stays.
    secrets: dict[str, str | None] = {}
    mapping: dict[str, Any] = {}


class Wrong(Exception):
    """What was given is no source. `errors` says what is wrong, by field: name, config.streams, mapping.data, …"""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{field}: {text}" if field else text for field, text in errors.items()))
        self.errors = dict(errors)


def draft(given: Given, original: Source | None = None) -> Source:
    """The source that `given` describes, or that it makes of `original`; neither is saved or changed. Raises Wrong."""
    errors = _errors_of_name(given, original)
    if given.kind not in CONFIGS:  # not that of the handlers: nobody adds that one
        raise Wrong(errors | {"kind": f"It should be one of: {', '.join(CONFIGS)}."})
    if original is not None and given.kind != original.kind:
        errors["kind"] = "A source's kind stays what it is. Add another source instead."
    if given.role not in Role.values:
        errors["role"] = f"It should be one of: {', '.join(Role.values)}."
    source = copy.copy(original) if original else Source()
    source.name, source.kind, source.role, source.enabled = given.name, given.kind, given.role, given.enabled
    source.config, secrets = parts.take_out(given.kind, given.config)
    entered = {name: value for name, value in secrets.items() if value != DOTS} | given.secrets
    secrets, to_enter = _secrets(source, original, entered)
    errors |= to_enter
    wrong = configs.problems(given.kind, parts.put_back(source.config, secrets))
    errors |= {f"config.{name}" if name else "config": text for name, text in wrong.items()}
    errors |= errors_of_mapping(given.mapping)
    if errors:
        raise Wrong(errors)
    source.mapping = {field: text for field, text in given.mapping.items() if text not in (None, "")}
    try:
        keeping.replace(source, secrets)
    except keys.BadKey as error:
        raise Wrong({"": str(error)}) from error
    return source


def errors_of_mapping(value: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each expression of a mapping."""
    errors: dict[str, str] = {}
    for field, text in value.items():
        try:
            mapping.parse(ANY_TYPE | {field: text})
        except mapping.BadMapping as error:
            errors[f"mapping.{field}"] = str(error).removeprefix(f"{field}: ")
    if not errors:
        try:
            mapping.parse(dict(value))
        except mapping.BadMapping as error:
            errors["mapping.event_type"] = str(error).removeprefix("event_type: ")
    return errors


def _errors_of_name(given: Given, original: Source | None) -> dict[str, str]:
    if not NAME.fullmatch(given.name):
        return {"name": "It should be 1 to 60 letters, digits, hyphens and underscores, such as shop-orders."}
    if given.name in RESERVED:
        return {"name": f"{given.name!r} is the address of a page here. Choose another name."}
    others = Source.objects.filter(name=given.name)
    if original is not None:
        others = others.exclude(pk=original.pk)
    return {"name": "There is a source of this name already."} if others.exists() else {}


def _secrets(
    source: Source, original: Source | None, entered: Mapping[str, str | None]
) -> tuple[dict[str, Any], dict[str, str]]:
    """All secrets that the source would have, and what is wrong with those that it would keep."""
    before: dict[str, Any] = {}
    if original is not None:
        try:
            before = keeping.secrets_of(original)
        except keys.Unreadable:
            before = {}
        except keys.BadKey as error:
            raise Wrong({"": str(error)}) from error
    kept = {name: value for name, value in before.items() if name not in entered}
    kept = parts.still_used(source.kind, source.config, kept)
    errors = {
        f"secrets.{name}": "Where it is sent, or how well it is guarded on the way, has changed. Enter it again, so "
        "that nobody can have it sent elsewhere without knowing it."
        for name in kept
        if original is not None
        and parts.destination_of(name, original.config) != parts.destination_of(name, source.config)
    }
    given = {name: value for name, value in entered.items() if value}
    return kept | parts.still_used(source.kind, source.config, given), errors
