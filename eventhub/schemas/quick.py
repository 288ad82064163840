"""A quick yes: usual schemas as msgspec types, so that decoding an event checks it in the same pass.

What such a type accepts, the schema accepts. What it refuses, or a schema that it cannot say, is for the validator to
judge: it knows every keyword, and why.
"""

from collections.abc import Callable
from types import GenericAlias
from typing import Annotated, Any, Literal, Union

import msgspec

from eventhub.schemas.compatibility.document import REMARKS, BadReference, Document, Node, is_nothing
from eventhub.schemas.compatibility.merging import conjuncts

MAX_DEPTH = 20
# Texts that certainly have a format; others that may have it are the validator's.
_DAY = r"[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
FORMATS = {
    "date": rf"\A{_DAY}\Z",
    "date-time": rf"\A{_DAY}T{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:Z|[+-]{_CLOCK})\Z",
    "uuid": r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z",
    "email": r"\A[A-Za-z0-9]{1,20}(?:[._+-][A-Za-z0-9]{1,20}){0,2}@(?:[A-Za-z0-9]{1,20}\.){1,3}[A-Za-z]{2,10}\Z",
}
_STRING = {"minLength": "min_length", "maxLength": "max_length"}
_NUMBER = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
_ARRAY = {"minItems": "min_length", "maxItems": "max_length"}
_KNOWN = {
    "string": {*_STRING, "format", "enum"},
    "integer": {*_NUMBER},
    "number": {*_NUMBER},
    "array": {*_ARRAY, "items"},
    "object": {"properties", "required", "additionalProperties"},
    "boolean": set[str](),
    "null": set[str](),
}


class _CannotSay(Exception):
    """The schema has something that no type says."""


def acceptor(schema: Any) -> Callable[[str], bool] | None:
    """Whether a JSON text certainly fits the schema; None where the schema cannot be said as a type."""
    try:
        document = Document(schema)
        made = _type(document.root, document, 0)
        decode = msgspec.json.Decoder(made).decode
    except (_CannotSay, BadReference, TypeError, ValueError, RecursionError):
        return None

    def accepts(text: str) -> bool:
        try:
            decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return False
        return True

    return accepts


def _type(node: Node, document: Document, depth: int) -> Any:
    parts = conjuncts(node, document)
    if depth > MAX_DEPTH or len(parts) != 1 or is_nothing(parts[0]):
        raise _CannotSay
    node = {key: value for key, value in parts[0].items() if key not in REMARKS and key != "default"}
    if not node:
        return msgspec.Raw
    types = node.pop("type", ["string"] if "enum" in node else None)
    if types is None or ("integer" in types and "number" in types):
        raise _CannotSay
    # What is of another type's says nothing here.
    if not all(key.startswith("x-") for key in node.keys() - set[str]().union(*_KNOWN.values())):
        raise _CannotSay
    if "enum" in node and types != ["string"]:
        raise _CannotSay
    made = [_of_kind(kind, node, document, depth) for kind in types]
    return made[0] if len(made) == 1 else Union[tuple(made)]  # noqa: UP007 - of a number that is known only now


def _of_kind(kind: str, node: Node, document: Document, depth: int) -> Any:
    match kind:
        case "string":
            return _string(node)
        case "integer" | "number":
            return _number(kind, node)
        case "array":
            item = _type(node["items"], document, depth + 1) if "items" in node else msgspec.Raw
            return _bound(GenericAlias(list, (item,)), node, _ARRAY)
        case "object":
            return _object(node, document, depth)
        case "boolean":
            return bool
        case _:
            return None


def _string(node: Node) -> Any:
    if "enum" in node:
        values = node["enum"]
        if not values or any(not isinstance(value, str) for value in values) or len(node) > 1:
            raise _CannotSay
        return Literal[tuple(values)]
    more: dict[str, Any] = {}
    if (wanted := node.get("format")) is not None:
        if wanted not in FORMATS:
            raise _CannotSay
        more["pattern"] = FORMATS[wanted]
    return _bound(str, node, _STRING, **more)


def _number(kind: str, node: Node) -> Any:
    if kind == "number":
        return _bound(float, node, _NUMBER)
    if any(not isinstance(node[key], int) for key in _NUMBER if key in node):
        raise _CannotSay
    return _bound(int, node, _NUMBER)


def _bound(of: Any, node: Node, names: dict[str, str], **more: Any) -> Any:
    bounds = {ours: node[theirs] for theirs, ours in names.items() if theirs in node} | more
    # At most one bound of a side can be said.
    if {"ge", "gt"} <= bounds.keys() or {"le", "lt"} <= bounds.keys():
        raise _CannotSay
    return Annotated[of, msgspec.Meta(**bounds)] if bounds else of


def _object(node: Node, document: Document, depth: int) -> Any:
    properties, others = node.get("properties", {}), node.get("additionalProperties", {})
    required = set(node.get("required", ()))
    is_closed = is_nothing(others)
    if not properties and not required and not is_closed:
        return GenericAlias(dict, (str, _type(others, document, depth + 1)))
    if others and not is_closed:
        raise _CannotSay
    if is_closed and required - properties.keys():
        raise _CannotSay
    fields: list[Any] = []
    names: dict[str, str] = {}
    for number, name in enumerate(sorted({*properties, *required}, key=lambda one: one not in required)):
        of = _type(properties[name], document, depth + 1) if name in properties else msgspec.Raw
        names[f"f{number}"] = name
        if name in required:
            fields.append((f"f{number}", of))
        else:
            fields.append((f"f{number}", Union[of, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007
    return msgspec.defstruct("Data", fields, rename=names, forbid_unknown_fields=is_closed, gc=False)
