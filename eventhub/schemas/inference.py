"""A schema drawn from events that were seen: a draft for people, with how sure it is and what it saw."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from eventhub.schemas.compatibility.merging import type_of
from eventhub.schemas.personal.paths import EVERY, MASK, Steps, touches

# A text is taken for one of few values when it was seen this often, in so few forms, each so short.
ENUM_SEEN, ENUM_VALUES, ENUM_SHARE, ENUM_LENGTH = 20, 8, 0.2, 40
SAMPLES_SHOWN = 3
MAX_DEPTH = 20


class Field(msgspec.Struct, frozen=True):
    """What was seen at one path."""

    path: str
    types: Sequence[str]
    # Of the objects that could have held it, how many did.
    seen: int
    possible: int
    # 0…1: how sure it is that a next event is alike (1 − 3/n, the rule of three, at 95 %).
    confidence: float
    samples: Sequence[Any]


class Inferred(msgspec.Struct, frozen=True):
    """A draft, and what it rests on."""

    schema: Any
    fields: Sequence[Field]
    events: int


def infer(values: Sequence[Any], marked: Sequence[Steps] = ()) -> Inferred:
    """The schema that all of `values` (the data of events of one type) fit, as narrow as they make likely.

    No value of the fields in `marked` gets into it, nor into the samples: everybody may read a schema.
    """
    fields: list[Field] = []
    schema = _node(values, "$", len(values), fields, 0)
    for steps in marked:
        schema = _without_values(schema, steps)
    fields = [
        msgspec.structs.replace(field, samples=[MASK] if field.samples else [])
        if any(touches(_place(field.path), steps) for steps in marked)
        else field
        for field in fields
    ]
    return Inferred(schema, sorted(fields, key=lambda field: field.path), len(values))


def _place(path: str) -> Steps:
    return tuple(path.removeprefix("$").lstrip(".").replace(EVERY, f".{EVERY}").lstrip(".").split("."))


def _without_values(schema: Any, steps: Steps) -> Any:
    """A drawn schema that lists no value at a field, nor inside of it."""
    if not isinstance(schema, dict):
        return schema
    made = {**schema}
    if "oneOf" in made:
        made["oneOf"] = [_without_values(one, steps) for one in made["oneOf"]]
    if not steps:
        for keyword in ("enum", "const"):
            if keyword in made:
                del made[keyword]
                made["type"] = "string"
        if "properties" in made:
            made["properties"] = {name: _without_values(one, ()) for name, one in made["properties"].items()}
        if "items" in made:
            made["items"] = _without_values(made["items"], ())
    elif steps[0] == EVERY and "items" in made:
        made["items"] = _without_values(made["items"], steps[1:])
    elif steps[0] in made.get("properties", {}):
        inner = _without_values(made["properties"][steps[0]], steps[1:])
        made["properties"] = {**made["properties"], steps[0]: inner}
    return made


def _node(values: Sequence[Any], path: str, possible: int, fields: list[Field], depth: int) -> Any:
    kinds = Counter(map(type_of, values))
    if kinds["number"]:
        kinds["number"] += kinds.pop("integer", 0)
    types = sorted(kind for kind, count in kinds.items() if count)
    if path != "$":
        confidence = max(0.0, 1 - 3 / possible) if possible else 0.0
        samples = _distinct(value for value in values if not isinstance(value, dict | list))[:SAMPLES_SHOWN]
        fields.append(Field(path, types, len(values), possible, round(confidence, 3), samples))
    if not types or depth > MAX_DEPTH:
        return {}
    parts = {kind: _of_kind(kind, _all_of(values, kind), path, fields, depth) for kind in types}
    if len(parts) == 1:
        return parts[types[0]]
    if all(part.keys() <= {"type"} for part in parts.values()):
        return {"type": types}
    return {"oneOf": list(parts.values())}


def _all_of(values: Sequence[Any], kind: str) -> list[Any]:
    return [v for v in values if type_of(v) == kind or (kind == "number" and type_of(v) == "integer")]


def _of_kind(kind: str, values: list[Any], path: str, fields: list[Field], depth: int) -> dict[str, Any]:
    if kind == "object":
        return _variants(values, path, fields, depth) or _object(values, path, fields, depth)
    if kind == "array":
        items = [item for value in values for item in value]
        return {
            "type": "array",
            **({"items": _node(items, f"{path}[*]", len(items), fields, depth + 1)} if items else {}),
        }
    if kind == "string":
        return _text(values)
    return {"type": kind}


def _object(values: list[dict[str, Any]], path: str, fields: list[Field], depth: int) -> dict[str, Any]:
    names = sorted({name for value in values for name in value})
    properties = {}
    for name in names:
        inner = [value[name] for value in values if name in value]
        properties[name] = _node(inner, f"{path}.{name}", len(values), fields, depth + 1)
    made: dict[str, Any] = {"type": "object"}
    if required := [name for name in names if all(name in value for value in values)]:
        made["required"] = required
    if properties:
        made["properties"] = properties
    return made


def _variants(
    values: list[dict[str, Any]], path: str, fields: list[Field], depth: int
) -> dict[str, Any] | None:
    """`oneOf`, where the value of one member decides which others there are."""
    if len(values) < ENUM_SEEN:
        return None
    always = {name for name in values[0] if all(name in value for value in values)}
    for name in sorted(always):
        seen = {value[name] for value in values if isinstance(value[name], str)}
        if not 2 <= len(seen) <= ENUM_VALUES or any(not isinstance(value[name], str) for value in values):
            continue
        groups = {kind: [value for value in values if value[name] == kind] for kind in sorted(seen)}
        if not _are_told_apart(groups):
            continue
        made = []
        for kind, members in groups.items():
            part = _object(members, path, fields, depth)
            part["properties"][name] = {"const": kind}
            made.append(part)
        return {"oneOf": made}
    return None


def _are_told_apart(groups: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether every group has a member that all of it have and that no other group ever has."""
    if any(len(members) < 3 for members in groups.values()):
        return False
    anywhere = {kind: set().union(*members) for kind, members in groups.items()}
    for kind, members in groups.items():
        own = set(members[0]).intersection(*members)
        others = set().union(*(names for other, names in anywhere.items() if other != kind))
        if not own - others:
            return False
    return True


def _text(values: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    distinct = set(values)
    is_few = len(distinct) <= ENUM_VALUES and len(distinct) <= ENUM_SHARE * len(values)
    if len(values) >= ENUM_SEEN and is_few and all(len(value) <= ENUM_LENGTH for value in distinct):
        if (found := format_of(distinct)) is None:
            return {"enum": sorted(distinct)}
        made["format"] = found
    elif (found := format_of(distinct)) is not None:
        made["format"] = found
    return made


def format_of(values: Iterable[str]) -> str | None:
    """The format that all of the texts have, if one of those that are checked."""
    values = list(values)
    for name, fits in FORMATS.items():
        if values and all(fits(value) for value in values):
            return name
    return None


def _is_moment(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text):
        return False
    return _reads(lambda: datetime.fromisoformat(text[:19]))


def _reads(read: Callable[[], object]) -> bool:
    try:
        read()
    except ValueError:
        return False
    return True


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_moment,
    "date": lambda text: (
        bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text)) and _reads(lambda: date.fromisoformat(text))
    ),
    "uuid": lambda text: bool(re.fullmatch(r"[0-9a-fA-F-]{36}", text)) and _reads(lambda: UUID(text)),
    "email": lambda text: bool(re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", text)),
    "uri": lambda text: bool(re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~/?=&%-]*)?", text)),
}


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
            if len(found) == SAMPLES_SHOWN:
                break
    return found
