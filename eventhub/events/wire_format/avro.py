"""Avro payloads as JSON.

Decimals become strings, times ISO 8601, bytes and fixed Base64, enums their names, a union's value itself.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
import msgspec
from fastavro import _read_py

from eventhub.events.envelope import Undecodable
from eventhub.events.wire_format.schema import BadSchema, Schema

# What fastavro raises for bytes that do not fit, and for schemas that are none.
FAILURES = (
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    AssertionError,
)
_PRIMITIVES = frozenset(("null", "boolean", "int", "long", "float", "double", "bytes", "string"))


# A record of one field is written as that field alone: so any schema can stand in one, and find what it refers to.
_WRAPPER, _FIELD = "EventHubWrapper", "value"


class AvroDecoder:
    """Reads payloads that were written with one schema."""

    def __init__(self, schema: Schema, dependencies: Mapping[str, Schema]) -> None:
        """Raises BadSchema."""
        named: dict[str, Any] = {}
        try:
            for used in dependencies.values():
                fastavro.parse_schema(msgspec.json.decode(used.text), named)
            wrapped = {"name": _FIELD, "type": msgspec.json.decode(schema.text)}
            self._schema = fastavro.parse_schema(
                {"type": "record", "name": _WRAPPER, "fields": [wrapped]}, named
            )
            shape = _Shape(named)
            shape.takes_nothing(_WRAPPER)
        except BadSchema:
            raise
        except (*FAILURES, fastavro.schema.SchemaParseException) as error:
            raise BadSchema(f"It is no Avro schema: {_words(error)}.") from error
        # The compiled reader does not count how deep it is: a message could make the process overflow its stack.
        self._read: Any = _read_py.schemaless_reader if shape.is_recursive else fastavro.schemaless_reader

    def decode(self, payload: bytes, _in_header: bytes | None) -> bytes:
        """The payload as JSON. Raises Undecodable."""
        stream = BytesIO(payload)
        try:
            value = self._read(stream, self._schema)
            text = msgspec.json.encode(value[_FIELD])
        except FAILURES as error:
            raise Undecodable(
                "DoesNotFitSchema", f"The bytes do not fit the Avro schema they name: {_words(error)}."
            ) from None
        left = len(payload) - stream.tell()
        if left:
            raise Undecodable(
                "DoesNotFitSchema",
                f"The bytes do not fit the Avro schema they name: {left:,} of them are left over.",
            )
        return text


class _Shape:
    """What a schema allows that a message could do harm with."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        # Records that were looked at, and those that are being looked at.
        self._known: dict[str, bool] = {}
        self._begun: set[str] = set()
        self.is_recursive = False

    def takes_nothing(self, schema: Any) -> bool:
        """Whether a value of `schema` may take no bytes at all. Looks at everything in it; raises BadSchema."""
        match schema:
            case str():
                return self._name_takes_nothing(schema)
            case list():
                for branch in schema:
                    self.takes_nothing(branch)
            case {"type": "array", "items": items}:
                if self.takes_nothing(items):
                    # A count of a trillion of them is six bytes.
                    raise BadSchema("It has an array whose items take no bytes.")
            case {"type": "map", "values": values}:
                self.takes_nothing(values)
            case {"type": "record" | "error", "name": name, "fields": fields}:
                return self._record_takes_nothing(name, fields)
            case {"type": "fixed", "size": size}:
                return bool(size == 0)
            case {"type": str(inner)} if inner != "enum":
                return self.takes_nothing(inner)
        return False

    def _name_takes_nothing(self, name: str) -> bool:
        return name == "null" if name in _PRIMITIVES else self.takes_nothing(self._named[name])

    def _record_takes_nothing(self, name: str, fields: list[Any]) -> bool:
        if name not in self._known:
            if name in self._begun:
                self.is_recursive = True
                return False
            self._begun.add(name)
            nothings = [self.takes_nothing(field["type"]) for field in fields]
            self._known[name] = all(nothings)
        return self._known[name]


def _words(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "they end too early"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, IndexError):
        return "a number stands for nothing that the schema has"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".")
