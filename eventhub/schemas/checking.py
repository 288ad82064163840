"""Whether a JSON document is a JSON Schema that EventHub can check events with."""

from typing import Any

import jsonschema_rs

from eventhub.schemas.validation import compile_schema


def flaws_of(schema: Any) -> list[str]:
    """What is wrong with a schema, each with the place where it is wrong; empty when it can be used."""
    if not isinstance(schema, dict):
        return ['$: a schema is a JSON object, for example {"type": "object", "properties": {…}}.']
    try:
        jsonschema_rs.meta.validate(schema)
        compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        return [f"{_place(error.instance_path)}: {error.message}"]
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return [f"$: {error}"]
    return []


def _place(path: list[str | int]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
