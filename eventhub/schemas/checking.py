"""Whether a JSON document is a JSON Schema that EventHub can check events with."""

import json
from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import msgspec

from eventhub.schemas.validation import compile_schema


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong with a schema, and where."""

    # The steps from the schema's root.
    place: Sequence[str | int]
    message: str
    # In the text that was typed, from 1; 0 where nobody typed one.
    line: int = 0

    def __str__(self) -> str:
        return f"{_path(self.place)}: {self.message}"


def flaws_of(schema: Any) -> list[str]:
    """What is wrong with a schema, each with the place where it is wrong; empty when it can be used."""
    return [str(flaw) for flaw in _flaws(schema)]


def read_text(text: str) -> tuple[Any, list[Flaw]]:
    """What a person typed: the schema (None if it is no JSON), and what is wrong with it, with the lines."""
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        return None, [Flaw((), f"This is not JSON: {error.msg}, in line {error.lineno}.", error.lineno)]
    except RecursionError:
        return None, [Flaw((), "This nests too deep to be read.", 1)]
    flaws = _flaws(schema)
    return schema, [msgspec.structs.replace(flaw, line=line_of(text, flaw.place)) for flaw in flaws]


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line of the innermost named member of `place`, from 1."""
    position = 0
    for step in place:
        if isinstance(step, str):
            found = text.find(json.dumps(step, ensure_ascii=False) + ":", position)
            if found < 0:
                found = text.find(json.dumps(step, ensure_ascii=False), position)
            position = found if found >= 0 else position
    return text.count("\n", 0, position) + 1


def _flaws(schema: Any) -> list[Flaw]:
    if not isinstance(schema, dict):
        return [Flaw((), 'a schema is a JSON object, for example {"type": "object", "properties": {…}}.')]
    try:
        jsonschema_rs.meta.validate(schema)
        compile_schema(schema)
    except jsonschema_rs.ValidationError as error:
        return [Flaw(tuple(error.instance_path), error.message)]
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        return [Flaw((), str(error))]
    return []


def _path(path: Sequence[str | int]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
