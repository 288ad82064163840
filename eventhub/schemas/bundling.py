"""Schemas that refer to other schemas, made whole: what they refer to comes along under ``$defs``.

What is stored stands alone, so that checking, comparing and exporting need nothing else; the registry gives back the
text as it was registered.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

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
            found[key] = _moved(others[name], places[name], others, place_of, drop=("$schema", "$id"))
        return places[name]

    made = _moved(schema, "#", others, place_of)
    return {**made, "$defs": {**made.get("$defs", {}), **found}} if found else schema


def _moved(
    part: Any,
    place: str,
    others: Mapping[str, Any],
    place_of: Callable[[str], str],
    drop: tuple[str, ...] = (),
) -> Any:
    """A schema that stands at `place` of another: its references lead where they led."""
    if isinstance(part, list):
        return [_moved(one, place, others, place_of) for one in part]
    if not isinstance(part, dict):
        return part
    made = {
        key: value if key in _VALUES else _moved(value, place, others, place_of)
        for key, value in part.items()
        if key not in drop
    }
    reference = part.get("$ref")
    if isinstance(reference, str):
        address, _, inside = reference.partition("#")
        if address in others:
            made["$ref"] = place_of(address) + inside
        elif not address:
            made["$ref"] = place + inside
    return made
