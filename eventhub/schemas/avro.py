"""Avro schemas as JSON Schemas of the same data, as Avro's JSON encoding without type names writes it."""

from typing import Any

PRIMITIVES: dict[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "bytes": {"type": "string"},
    "string": {"type": "string"},
}
# As EventHub reads Avro's logical types (docs/sources.md): as texts.
LOGICAL: dict[str, dict[str, Any]] = {
    "date": {"type": "string", "format": "date"},
    "timestamp-millis": {"type": "string", "format": "date-time"},
    "timestamp-micros": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "decimal": {"type": "string"},
}


class BadAvro(ValueError):
    """It is no Avro schema that can be read."""


def to_json_schema(avro: Any) -> dict[str, Any]:
    """A JSON Schema (2020-12) for data of an Avro schema. Named types become definitions. Raises BadAvro."""
    definitions: dict[str, Any] = {}
    made = _node(avro, "", definitions)
    return {**made, "$defs": definitions} if definitions else made


def _node(avro: Any, space: str, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(avro, list):
        parts = [_node(part, space, definitions) for part in avro]
        return parts[0] if len(parts) == 1 else {"oneOf": parts}
    if isinstance(avro, str):
        return _named(avro, space, definitions)
    if not isinstance(avro, dict) or "type" not in avro:
        raise BadAvro(f"{str(avro)[:80]} is no Avro type.")
    kind = avro["type"]
    if avro.get("logicalType") in LOGICAL:
        return dict(LOGICAL[avro["logicalType"]])
    if kind in ("record", "error", "enum", "fixed"):
        return _define(avro, kind, space, definitions)
    if kind == "array":
        return {"type": "array", "items": _node(avro.get("items"), space, definitions)}
    if kind == "map":
        return {"type": "object", "additionalProperties": _node(avro.get("values"), space, definitions)}
    return _node(kind, space, definitions)


def _named(name: str, space: str, definitions: dict[str, Any]) -> dict[str, Any]:
    if name in PRIMITIVES:
        return dict(PRIMITIVES[name])
    whole = name if "." in name or not space else f"{space}.{name}"
    if whole not in definitions:
        raise BadAvro(f"The type {name!r} is not defined before it is used.")
    return {"$ref": f"#/$defs/{whole}"}


def _define(avro: dict[str, Any], kind: str, space: str, definitions: dict[str, Any]) -> dict[str, Any]:
    name = str(avro.get("name", ""))
    space = str(avro.get("namespace", name.rpartition(".")[0] or space))
    whole = name if "." in name or not space else f"{space}.{name}"
    definitions[whole] = made = dict[str, Any]()  # a record may contain itself
    if doc := avro.get("doc"):
        made["description"] = doc
    if kind == "enum":
        made["enum"] = list(avro.get("symbols", ()))
    elif kind == "fixed":
        made["type"] = "string"
    else:
        fields = avro.get("fields", ())
        made["type"] = "object"
        made["required"] = [field["name"] for field in fields]
        made["properties"] = properties = dict[str, Any]()
        for field in fields:
            properties[field["name"]] = part = _node(field.get("type"), space, definitions)
            if field.get("default") is not None:
                part["default"] = field["default"]
        if not made["required"]:
            del made["required"]
    return {"$ref": f"#/$defs/{whole}"}
