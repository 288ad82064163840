"""`allOf` and `$ref` taken apart: what must hold together, merged into one node where that says the same."""

from collections.abc import Callable
from typing import Any

from eventhub.schemas.compatibility.document import NOTHING, Document, Node, is_nothing, same

ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# Keywords whose two values are one: the larger, the smaller.
_TIGHTER: dict[str, Callable[[Any, Any], Any]] = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
}
# Keywords that mean something only together.
_TOGETHER = (("if", "then", "else"), ("contains", "minContains", "maxContains"))
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")


def types_of(node: Node) -> frozenset[str]:
    """The types that a node's own keywords allow; `number` comes with `integer`."""
    if is_nothing(node):
        return frozenset()
    types = frozenset(node.get("type", ALL_TYPES))
    types = types | {"integer"} if "number" in types else types
    if "enum" in node:
        types &= frozenset(map(type_of, node["enum"])) | (
            {"number"} if any(type_of(value) == "integer" for value in node["enum"]) else frozenset()
        )
    return types


def type_of(value: Any) -> str:
    """JSON Schema's name for a value's type; 2.0 is an integer."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def conjuncts(node: Node, document: Document) -> list[Node]:
    """What must hold for `node` to hold, without `$ref` and `allOf`, in as few nodes as possible; at least one.

    One that is `false` stands alone.
    """
    parts: list[Node] = []
    _flatten(node, document, parts, frozenset(), is_outermost=True)
    return merge_all(parts)


def merge_all(parts: list[Node]) -> list[Node]:
    """The nodes, merged where that says the same. What `unevaluated…` of the first looks at are all others."""
    made: list[Node] = []
    for part in parts:
        for index, other in enumerate(made):
            if (merged := merge(other, part)) is not None:
                made[index] = merged
                break
        else:
            made.append(part)
    if any(is_nothing(one) for one in made):
        return [NOTHING]
    if len(made) == 1:
        made = [close(made[0])]
    return made or [{}]


def close(node: Node) -> Node:
    """`unevaluated…` as `additional…`, where nothing beside it evaluates anything."""
    others = {"anyOf", "oneOf", "not", "if", "dependentSchemas", "allOf", "$ref"} & node.keys()
    if "unevaluatedProperties" in node and not others:
        rest = {key: value for key, value in node.items() if key != "unevaluatedProperties"}
        node = {"additionalProperties": node["unevaluatedProperties"], **rest}
    if "unevaluatedItems" in node and not others and "contains" not in node:
        rest = {key: value for key, value in node.items() if key != "unevaluatedItems"}
        node = {"items": node["unevaluatedItems"], **rest}
    return node


def _flatten(
    node: Node, document: Document, parts: list[Node], visited: frozenset[str], *, is_outermost: bool
) -> None:
    rest = {key: value for key, value in node.items() if key not in ("$ref", "allOf")}
    inner = list(node.get("allOf", ()))
    if not is_outermost and any(key in rest for key in _UNEVALUATED):
        # It looks at what stands inside of this node, and at nothing beside it.
        rest = close(node) if rest == node else {**rest, "$apart": True}
    if rest:
        parts.append(rest)
    if (place := node.get("$ref")) is not None and place not in visited:
        visited |= {place}
        inner.insert(0, document.at(place))
    is_outermost = is_outermost and not rest and len(inner) == 1
    for part in inner:
        _flatten(part, document, parts, visited, is_outermost=is_outermost)


def merge(one: Node, other: Node) -> Node | None:
    """One node that says what both say, or None where none is known that does."""
    if is_nothing(one) or is_nothing(other):
        return NOTHING
    if not _sees_the_same_members(one, other) or not _sees_the_same_items(one, other):
        return None
    if "$apart" in one or "$apart" in other or any(key in other for key in _UNEVALUATED):
        return None
    for keys in _TOGETHER:
        these, those = ([node.get(key) for key in keys] for node in (one, other))
        if these != those and any(these) and any(those):
            return None
    made = dict(one)
    for key, value in other.items():
        if key not in made or made[key] == value:
            made[key] = value
        elif key == "type":
            types = types_of({"type": made[key]}) & types_of({"type": value})
            made[key] = sorted(types)
        elif key == "enum":
            made[key] = [item for item in value if same(item, made[key])]
        elif key in _TIGHTER:
            made[key] = _TIGHTER[key](made[key], value)
        elif key == "required":
            made[key] = sorted({*made[key], *value})
        elif key in ("properties", "patternProperties", "dependentSchemas"):
            made[key] = {**made[key], **_joined(made[key], value)}
        elif key == "dependentRequired":
            names = {*made[key], *value}
            made[key] = {n: sorted({*made[key].get(n, ()), *value.get(n, ())}) for n in names}
        elif key == "uniqueItems":
            made[key] = made[key] or value
        elif key == "propertyNames":
            made[key] = {"allOf": [made[key], value]}
        elif key == "default":
            continue
        else:
            return None
    if made.get("type") == [] or made.get("enum") == []:
        return NOTHING
    return made


def _joined(these: dict[str, Node], those: dict[str, Node]) -> dict[str, Node]:
    return {
        name: part if name not in these or these[name] == part else {"allOf": [these[name], part]}
        for name, part in those.items()
    }


def _sees_the_same_members(one: Node, other: Node) -> bool:
    """Whether `additionalProperties` of either means the same among the properties of both."""
    for this, that in ((one, other), (other, one)):
        if "additionalProperties" not in this or this["additionalProperties"] == {}:
            continue
        if that.get("patternProperties", {}).keys() - this.get("patternProperties", {}).keys():
            return False
        if that.get("properties", {}).keys() - this.get("properties", {}).keys():
            return False
        if "additionalProperties" in that and that["additionalProperties"] != this["additionalProperties"]:
            return False
    return True


def _sees_the_same_items(one: Node, other: Node) -> bool:
    keys = ("items", "prefixItems", "unevaluatedItems")
    if not any(key in one for key in keys) or not any(key in other for key in keys):
        return True
    return all(one.get(key) == other.get(key) for key in keys)
