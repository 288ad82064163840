"""The table of a projection, from the Struct of its rows."""

import types
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

TYPES: dict[Any, str] = {
    str: "text",
    int: "bigint",
    float: "double precision",
    bool: "boolean",
    Decimal: "numeric",
    datetime: "timestamptz",
    date: "date",
}


def columns(row: type[msgspec.Struct]) -> dict[str, str]:
    """Column names with PostgreSQL types, in the order of the fields; the first is the key.

    What PostgreSQL has no type for is jsonb. Raises ValueError when the key is no text.
    """
    hints = get_type_hints(row)
    found = {name: _type(hints[name]) for name in row.__struct_fields__}
    key = next(iter(found), "")
    if found.get(key) != "text":
        raise ValueError(f"{row.__name__}: its first field is the key and has to be a str.")
    return found


def create(table: str, row: type[msgspec.Struct], indexes: tuple[str, ...]) -> list[str]:
    """The statements that make the table. Index names are PostgreSQL's, so that two copies can stand side by side."""
    there = columns(row)
    key = next(iter(there))
    lines = ", ".join(f'"{name}" {kind}' for name, kind in there.items())
    return [
        f'CREATE TABLE "{table}" ({lines}, PRIMARY KEY ("{key}"))',
        *(f'CREATE INDEX ON "{table}" ({expression})' for expression in indexes),
    ]


def _type(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        inside = [one for one in get_args(hint) if one is not type(None)]
        return _type(inside[0]) if len(inside) == 1 else "jsonb"
    return TYPES.get(hint, "jsonb")
