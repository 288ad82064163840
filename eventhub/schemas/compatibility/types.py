"""`type`, `enum` and `const`."""

from collections.abc import Iterator
from typing import Any

import msgspec

from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.document import same
from eventhub.schemas.compatibility.merging import types_of
from eventhub.schemas.compatibility.walk import ALTERNATIVES, Sides, is_finite


def type_rule(sides: Sides) -> Iterator[Difference]:
    """The reader must know every type that the writer may send."""
    before, after = sides.types, types_of({"type": sides.reader.get("type", sorted(_ALL))})
    if "type" not in sides.reader and "type" not in sides.writer:
        return
    missing, more = before - after, after - before
    if missing:
        kind = "type_changed" if not before & after else "type_narrowed"
        words = (
            f"{{place}} may be {_any_of(before)} in events of {{writer}}; {{reader}} wants {_any_of(after)}."
        )
        yield sides.differs(kind, words, ok=False)
    elif more and ("type" in sides.reader or not ALTERNATIVES & sides.reader.keys()):
        words = f"{{place}} may be {_any_of(after)} now, not only {_any_of(before)}."
        yield sides.differs("type_extended", words, ok=True)


def value_rule(sides: Sides) -> Iterator[Difference]:
    """Where the writer has few values, the reader must accept each; where it has many, it may not want few."""
    values = finite(sides)
    wanted = sides.reader.get("enum")
    if values is None:
        if wanted is not None:
            words = f"{{reader}} allows only {_listed(wanted)} at {{place}}; events of {{writer}} may hold others."
            yield sides.differs("enum_added", words, ok=False)
        return
    refused = [(value, why) for value in values if (why := sides.walk.accepts(sides.reader, value))]
    has_enum = "enum" in sides.writer
    if not refused:
        if wanted is None and has_enum:
            yield sides.differs("enum_removed", "{reader} no longer lists the values of {place}.", ok=True)
        elif wanted is not None and len(more := [v for v in wanted if not same(v, values)]):
            words = f"{{place}} may also be {_listed(more)} now."
            yield sides.differs("enum_array_extended", words, ok=True)
        return
    lost = [value for value, _ in refused]
    if wanted is not None:
        added = any(not same(value, values) for value in wanted)
        kind = "enum_array_changed" if added else "enum_array_narrowed"
        words = f"{{place}} may be {_listed(lost)} in events of {{writer}}; {{reader}} no longer allows that."
        yield sides.differs(kind if has_enum else "enum_added", words, ok=False)
        return
    kind = "enum_value_refused" if sides.types & types_of(sides.reader) else "type_changed"
    words = (
        f"{{place}} may be {_listed(lost)} in events of {{writer}}; {{reader}} refuses it: {refused[0][1]}."
    )
    yield sides.differs(kind, words, ok=False)


def finite(sides: Sides) -> list[Any] | None:
    """The few values that the writer's node allows, or None when they are many."""
    listed = sides.writer.get("enum")
    if listed is not None:
        reverse = sides.walk.reversed()
        return [value for value in listed if reverse.accepts(sides.writer, value) is None]
    if not is_finite(sides.writer, sides.types, sides.reader):
        return None
    values = [
        *((True, False) if "boolean" in sides.types else ()),
        *((None,) if "null" in sides.types else ()),
    ]
    return list(values)


def _any_of(types: frozenset[str]) -> str:
    if types >= _ALL:
        return "anything"
    types = types - {"integer"} if "number" in types else types
    return " or ".join(sorted(types)) or "nothing"


def _listed(values: list[Any]) -> str:
    shown = ", ".join(msgspec.json.encode(value).decode()[:60] for value in values[:5])
    return f"{shown} …" if len(values) > 5 else shown


_ALL = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
