"""A JSON Schema brought into one form: drafts 7 and 2020-12 alike, references resolved to places of the document.

A normal node is a dict of 2020-12 keywords whose subschemas are normal nodes: `true` is the empty one, `false` is
`NOTHING`. A ``$ref`` holds the place it points at; `Document.at` has the node there.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from eventhub.schemas.compatibility.difference import escaped

Node = dict[str, Any]

NOTHING: Node = {"$nothing": True}
# Keywords that hold one schema, several by name, several in a row.
ONE = (
    "items",
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "unevaluatedItems",
)
NAMED = ("properties", "patternProperties", "dependentSchemas")
LISTED = ("prefixItems", "allOf", "anyOf", "oneOf")
# What says nothing of whether an event is valid.
REMARKS = {
    "$id",
    "$schema",
    "$comment",
    "$anchor",
    "$dynamicAnchor",
    "$vocabulary",
    "$defs",
    "definitions",
    "title",
    "description",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
}


class BadReference(ValueError):
    """A ``$ref`` points at nothing in its document."""


class Document:
    """A schema with everything it refers to."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        dialect = str(schema.get("$schema", "")) if isinstance(schema, dict) else ""
        self._ignores_beside_ref = any(f"draft-0{number}" in dialect for number in (3, 4, 6, 7))
        self._has_tuples_in_items = self._ignores_beside_ref or "2019-09" in dialect
        self._nodes: dict[str, Node] = {}
        # Where the resources and anchors of the document are: address → place.
        self._addresses: dict[str, str] = {}
        # The address that relative references at a place are relative to.
        self._bases: dict[str, str] = {}
        self._look(schema, "#", "")
        self.root = self.at("#")

    def at(self, place: str) -> Node:
        """The node at a place, as ``#/$defs/money``. Raises BadReference."""
        if place not in self._nodes:
            self._nodes[place] = {}  # a node that refers to itself finds this one
            made = self._normal(self._raw(place), place)
            self._nodes[place].update(made)
        return self._nodes[place]

    def _raw(self, place: str) -> Any:
        found = self._root
        for step in place.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise BadReference(f"$ref {place!r} points at nothing in the schema.") from None
        return found

    def _look(self, raw: Any, place: str, base: str) -> None:
        """Note every ``$id`` and anchor."""
        if isinstance(raw, list):
            for index, part in enumerate(raw):
                self._look(part, f"{place}/{index}", base)
        if not isinstance(raw, dict):
            return
        if isinstance(named := raw.get("$id"), str) and not named.startswith("#"):
            base = urljoin(base, named)
            self._addresses.setdefault(urldefrag(base).url, place)
            self._bases[place] = base
        elif place == "#":
            self._addresses.setdefault("", "#")
            self._bases[place] = ""
        for keyword in ("$anchor", "$dynamicAnchor", "$id"):
            anchor = raw.get(keyword)
            if isinstance(anchor, str) and (keyword != "$id" or anchor.startswith("#")):
                self._addresses.setdefault(f"{urldefrag(base).url}#{anchor.lstrip('#')}", place)
        for name, part in raw.items():
            if name not in ("enum", "const", "default", "examples"):
                self._look(part, f"{place}/{escaped(name)}", base)

    def _resolve(self, reference: str, place: str) -> str:
        resource = max((at for at in self._bases if f"{place}/".startswith(f"{at}/")), key=len, default="#")
        address, fragment = urldefrag(urljoin(self._bases.get(resource, ""), reference))
        if reference.startswith("#"):
            address, root = urldefrag(self._bases.get(resource, "")).url, resource
        elif address in self._addresses:
            root = self._addresses[address]
        else:
            raise BadReference(f"$ref {reference!r} points outside of the schema. Put it under $defs.")
        fragment = unquote(fragment)
        if not fragment:
            return root
        if fragment.startswith("/"):
            return root + fragment
        try:
            return self._addresses[f"{address}#{fragment}"]
        except KeyError:
            raise BadReference(f"$ref {reference!r} names no anchor of the schema.") from None

    def _normal(self, raw: Any, place: str) -> Node:
        if raw is True:
            return {}
        if raw is False:
            return NOTHING
        if not isinstance(raw, dict):
            raise BadReference(f"{place} is not a schema.")
        reference = raw.get("$ref", raw.get("$dynamicRef", raw.get("$recursiveRef")))
        if isinstance(reference, str):
            resolved = self._resolve(reference, place)
            if self._ignores_beside_ref:
                return {"$ref": resolved}
            rest = {key: value for key, value in raw.items() if key not in REFERENCES}
            return {"$ref": resolved, **self._keywords(rest, place)}
        return self._keywords(raw, place)

    def _keywords(self, raw: Node, place: str) -> Node:
        node: Node = {}
        for key, value in raw.items():
            where = f"{place}/{escaped(key)}"
            if key in REMARKS:
                continue
            if key == "const":
                node["enum"] = _both(node.get("enum"), [value])
            elif key == "enum":
                node["enum"] = _both(node.get("enum"), value)
            elif key == "items" and isinstance(value, list):
                node["prefixItems"] = [self._normal(one, f"{where}/{n}") for n, one in enumerate(value)]
                if "additionalItems" in raw:
                    node["items"] = self._normal(raw["additionalItems"], f"{place}/additionalItems")
            elif key == "additionalItems" and self._has_tuples_in_items:
                continue
            elif key == "dependencies":
                self._dependencies(node, value, where)
            elif key in ONE:
                node[key] = self._normal(value, where)
            elif key in NAMED:
                named = {name: self._normal(one, f"{where}/{escaped(name)}") for name, one in value.items()}
                node[key] = {**node.get(key, {}), **named}
            elif key in LISTED:
                node[key] = [self._normal(one, f"{where}/{n}") for n, one in enumerate(value)]
            elif key == "type":
                node["type"] = sorted([value] if isinstance(value, str) else value)
            else:
                node[key] = value
        return node

    def _dependencies(self, node: Node, value: Any, where: str) -> None:
        for name, needed in value.items():
            if isinstance(needed, list):
                node.setdefault("dependentRequired", {})[name] = needed
            else:
                made = self._normal(needed, f"{where}/{escaped(name)}")
                node.setdefault("dependentSchemas", {})[name] = made


REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def _both(these: list[Any] | None, those: list[Any]) -> list[Any]:
    return those if these is None else [value for value in those if same(value, these)]


def same(value: Any, among: list[Any]) -> bool:
    """Whether JSON Schema calls `value` equal to one of `among`: 1 is 1.0, and not true."""
    return any(_equal(value, other) for other in among)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def subschemas(node: Node) -> Iterator[Node]:
    """The nodes directly inside of a node."""
    for key in ONE:
        if key in node:
            yield node[key]
    for key in NAMED:
        yield from node.get(key, {}).values()
    for key in LISTED:
        yield from node.get(key, ())


def is_nothing(node: Node) -> bool:
    """Whether no value is valid."""
    return "$nothing" in node


def whole(node: Node, document: Document) -> Any:
    """A node as a JSON Schema (2020-12) that stands alone."""
    names: dict[str, str] = {}
    definitions: dict[str, Any] = {}

    def written(node: Node) -> Any:
        if is_nothing(node):
            return False
        made: dict[str, Any] = {}
        for key, value in node.items():
            if key == "$ref":
                made[key] = f"#/$defs/{defined(value)}"
            elif key in ONE:
                made[key] = written(value)
            elif key in NAMED:
                made[key] = {name: written(one) for name, one in value.items()}
            elif key in LISTED:
                made[key] = [written(one) for one in value]
            else:
                made[key] = value
        return made

    def defined(place: str) -> str:
        if place not in names:
            names[place] = f"n{len(names)}"
            definitions[names[place]] = written(document.at(place))
        return names[place]

    made = written(node)
    return {**made, "$defs": definitions} if definitions and isinstance(made, dict) else made
