"""Requests drawn from an OpenAPI document: what it allows, and with one draw in four, anything at all."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.fuzz.inputs import MOMENTS, values

# Text that can stand in an address: surrogates cannot be sent.
sendable = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        [
            "",
            "\x00",
            "..",
            "%00",
            "' OR 1=1",
            "{{7*7}}",
            "<b>",
            "9" * 30,
            "-1",
            "1e9",
            "NaN",
            "💥",
            "a/b",
            "?",
        ]
    ),
)
INTEGERS = st.one_of(st.integers(-3, 1000), st.sampled_from([2**31, 2**63, 2**63 - 1, -(2**63) - 1, 10**30]))


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent."""

    method: str
    address: str
    body: Any = None
    has_body: bool = False


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    method: str
    path: str
    told: dict[str, Any] = field(hash=False)
    parts: dict[str, Any] = field(hash=False)

    @property
    def label(self) -> str:
        """As the table of the access matrix names it."""
        return f"{self.method} {self.path}"

    def requests(self) -> st.SearchStrategy[Request]:
        """Anything that may be asked of it, and what may not."""
        return st.composite(self._draw)()

    def _draw(self, draw: Any) -> Request:
        address, query = self.path, []
        for parameter in self.told.get("parameters", []):
            name, where = parameter["name"], parameter["in"]
            if where == "path":
                value = draw(st.one_of(self._of(parameter["schema"]), sendable))
                address = address.replace("{" + name + "}", quote(str(value), safe="") or "x")
            elif where == "query" and (parameter.get("required") or draw(st.booleans())):
                value = draw(
                    st.one_of(self._of(parameter["schema"]), self._of(parameter["schema"]), sendable)
                )
                many = value if isinstance(value, list) else [value]
                query += [(name, _sent(one)) for one in many]
        if query:
            address += "?" + urlencode(query)
        content = self.told.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return Request(self.method, address)
        body = draw(st.one_of(self._of(schema), self._of(schema), self._of(schema), values))
        return Request(self.method, address, body, has_body=True)

    def _of(self, schema: dict[str, Any], depth: int = 4) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self._of(self.parts[name], depth)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return st.one_of(*(self._of(one, depth) for one in schema[several]))
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "const" in schema:
            return st.just(schema["const"])
        match schema.get("type"):
            case "integer":
                return INTEGERS
            case "number":
                return st.one_of(INTEGERS, st.floats(allow_nan=False, allow_infinity=False))
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case "array":
                return st.lists(self._of(schema.get("items", {}), depth - 1), max_size=3)
            case "object":
                return self._object(schema, depth)
            case "string" if "format" in schema and "date" in schema["format"]:
                return st.one_of(st.sampled_from(MOMENTS[:6]), st.datetimes().map(lambda at: at.isoformat()))
            case "string":
                return sendable
        return values

    def _object(self, schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
        properties = schema.get("properties", {})
        if not properties or depth <= 0:
            return st.dictionaries(sendable, values, max_size=3)
        needed = set(schema.get("required", []))
        made = {
            name: st.one_of(self._of(one, depth - 1), self._of(one, depth - 1), values)
            for name, one in properties.items()
        }
        return st.fixed_dictionaries(
            {name: one for name, one in made.items() if name in needed},
            optional={name: one for name, one in made.items() if name not in needed},
        )


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation of the document."""
    parts = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            yield Operation(method.upper(), path, told, parts)


def _sent(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
