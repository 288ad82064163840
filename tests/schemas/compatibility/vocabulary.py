"""Short words for schemas, for the pairs."""

from typing import Any

INT, NUM, STR, BOOL, NULL = ({"type": kind} for kind in ("integer", "number", "string", "boolean", "null"))
D7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
# What it is about, the old schema, the new one, what is expected.
Pair = tuple[str, Any, Any, list[str]]


def obj(required=(), /, closed=None, **properties):
    """An object with these members; `closed`: False, True or a schema for the others."""
    made: dict[str, Any] = {"type": "object"}
    if properties:
        made["properties"] = properties
    if required:
        made["required"] = list(required)
    if closed is not None:
        made["additionalProperties"] = (not closed) if isinstance(closed, bool) else closed
    return made


def arr(items=None, **more):
    return {"type": "array", **({} if items is None else {"items": items}), **more}


def tup(*prefix, rest=None, **more):
    return {"type": "array", "prefixItems": list(prefix), **({} if rest is None else {"items": rest}), **more}


def tup7(*prefix, rest=None):
    return {
        **D7,
        "type": "array",
        "items": list(prefix),
        **({} if rest is None else {"additionalItems": rest}),
    }


def strs(**more):
    return {"type": "string", **more}


def ints(**more):
    return {"type": "integer", **more}


def nums(**more):
    return {"type": "number", **more}


def default(schema, value):
    return {**schema, "default": value}


def defs(schema, **definitions):
    return {**schema, "$defs": definitions}


REF = {"$ref": "#/$defs/x"}

KIND_A, KIND_B, KIND_C = (obj(["kind"], kind={"const": name}) for name in "abc")
