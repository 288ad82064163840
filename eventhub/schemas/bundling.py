"""Schemas that refer to other schemas, made whole: what they refer to comes along under ``$defs``.

What is stored stands alone, so that checking, comparing and exporting need nothing else; the registry gives back the
text as it was registered.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin

# Chains of references longer than this lead nowhere.
MOST_SCHEMAS = 200
# Keywords whose values are no schemas.
_VALUES = ("enum", "const", "default", "examples")


class BadBundle(ValueError):
    """A schema cannot be made whole; the message says which reference leads nowhere."""


def bundled(schema: Any, others: Mapping[str, Any]) -> Any:
    """`schema`, with those of `others` that it refers to by their names, and what these refer to, under ``$defs``.

    Raises BadBundle for a schema that has no room for them, or too many.
    """
    if not isinstance(schema, dict) or not others:
        return schema
    own = schema.get("$defs", {})
    if not isinstance(own, dict):
        raise BadBundle("$defs must be an object.")
    places: dict[str, str] = {}
    found: dict[str, Any] = {}

    def place_of(name: str) -> str:
        if name not in places:
            if len(places) == MOST_SCHEMAS:
                raise BadBundle(f"It refers to more than {MOST_SCHEMAS} other schemas.")
            key = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
            while key in own or key in found:
                key += "_"
            places[name] = f"#/$defs/{key}"
            found[key] = {}
            moved = _Move(places[name], _base(others[name]), others, place_of).of(others[name])
            if isinstance(moved, dict):
                moved = {
                    keyword: value for keyword, value in moved.items() if keyword not in ("$schema", "$id")
                }
            found[key] = moved
        return places[name]

    made = _Move("#", _base(schema), others, place_of).of(schema)
    return {**made, "$defs": {**made.get("$defs", {}), **found}} if found else schema


class _Move:
    """A schema on its way to `place` in another: its references go on leading where they led."""

    def __init__(
        self, place: str, base: str, others: Mapping[str, Any], place_of: Callable[[str], str]
    ) -> None:
        self._place, self._base, self._others, self._place_of = place, base, others, place_of

    def of(self, part: Any) -> Any:
        """A part of it, as it stands there."""
        if isinstance(part, list):
            return [self.of(one) for one in part]
        if not isinstance(part, dict):
            return part
        made = {key: value if key in _VALUES else self.of(value) for key, value in part.items()}
        if isinstance(reference := part.get("$ref"), str):
            made["$ref"] = self._target(reference)
        return made

    def _target(self, reference: str) -> str:
        address, _, inside = reference.partition("#")
        if not address:
            return self._place + inside
        for name in (address, urljoin(self._base, address)):
            if name in self._others:
                return self._place_of(name) + inside
        return reference


def _base(schema: Any) -> str:
    """What relative references of a schema are relative to."""
    named = schema.get("$id", "") if isinstance(schema, dict) else ""
    return named if isinstance(named, str) else ""
