"""Defaults filled in: what a reader of a newer schema puts where an older event has nothing."""

from typing import Any

from eventhub.schemas.compatibility.document import Document, Node
from eventhub.schemas.compatibility.merging import conjuncts

MAX_DEPTH = 40


def fill_defaults(schema: Any, data: Any) -> Any:
    """A copy of `data` with the defaults of the required members that it lacks.

    Follows `properties`, `items`, `prefixItems`, `allOf` and `$ref`; not alternatives and conditions, whose choice
    must not depend on what was filled in. Raises BadReference.
    """
    document = Document(schema)
    return _filled(document, document.root, data, 0)


def _filled(document: Document, node: Node, data: Any, depth: int) -> Any:
    if depth > MAX_DEPTH or not isinstance(data, dict | list):
        return data
    for part in conjuncts(node, document):
        data = (
            _object(document, part, data, depth)
            if isinstance(data, dict)
            else _list(document, part, data, depth)
        )
    return data


def _object(document: Document, node: Node, data: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = node.get("properties", {})
    filled = {
        name: _filled(document, properties[name], value, depth + 1) if name in properties else value
        for name, value in data.items()
    }
    for name in node.get("required", ()):
        default = properties.get(name, {}).get("default")
        if name not in filled and default is not None:
            filled[name] = default
    return filled


def _list(document: Document, node: Node, data: list[Any], depth: int) -> list[Any]:
    prefix, rest = node.get("prefixItems", []), node.get("items", {})
    return [
        _filled(document, prefix[index] if index < len(prefix) else rest, value, depth + 1)
        for index, value in enumerate(data)
    ]
