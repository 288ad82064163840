"""Bounds: of numbers, of lengths, of counts; and what a text or number must look like."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.document import Node
from eventhub.schemas.compatibility.walk import Sides

# Formats that are checked (docs/schemas.md); others are remarks.
CHECKED_FORMATS = {
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
}


def number_rule(sides: Sides) -> Iterator[Difference]:
    """`minimum`, `maximum`, their exclusive forms, `multipleOf`."""
    if not sides.may_be("integer", "number"):
        return
    whole = "number" not in sides.types
    for inclusive, exclusive, sign in (
        ("minimum", "exclusiveMinimum", 1),
        ("maximum", "exclusiveMaximum", -1),
    ):
        before = _edge(sides.writer, inclusive, exclusive, sign, whole)
        after = _edge(sides.reader, inclusive, exclusive, sign, whole)
        yield from _edges(sides, inclusive, exclusive, before, after, sign)
    yield from _multiples(sides, whole)


def length_rule(sides: Sides) -> Iterator[Difference]:
    """`minLength` and `maxLength`."""
    if sides.may_be("string"):
        yield from _bound(sides, "minLength", "maxLength", "length", "characters")


def count_rule(sides: Sides) -> Iterator[Difference]:
    """`minItems`, `maxItems`, `uniqueItems`."""
    if not sides.may_be("array"):
        return
    most = sides.writer.get("maxItems")
    if sides.writer.get("items", {}) == {"$nothing": True}:
        most = _least(most, len(sides.writer.get("prefixItems", ())))
    yield from _bound(sides, "minItems", "maxItems", "items", "items", most=most)
    before, after = (bool(node.get("uniqueItems")) for node in (sides.writer, sides.reader))
    if after and not before:
        ok = most is not None and most <= 1
        words = "the items of {place} must all differ now; events of {writer} may repeat one."
        yield sides.differs("unique_items_added", words, ok=ok)
    elif before and not after:
        yield sides.differs("unique_items_removed", "the items of {place} may repeat now.", ok=True)


def property_count_rule(sides: Sides) -> Iterator[Difference]:
    """`minProperties` and `maxProperties`, with what `required` and a closed content model say of them."""
    if not sides.may_be("object"):
        return
    writer = sides.writer
    least = max(writer.get("minProperties", 0), len(set(writer.get("required", ()))))
    most = writer.get("maxProperties")
    if "$nothing" in writer.get("additionalProperties", {}) and not writer.get("patternProperties"):
        most = _least(most, len(writer.get("properties", {})))
    yield from _bound(
        sides, "minProperties", "maxProperties", "properties", "members", least=least, most=most
    )


def text_rule(sides: Sides) -> Iterator[Difference]:
    """`pattern` and `format`."""
    if not sides.may_be("string"):
        return
    for keyword in ("pattern", "format"):
        before, after = sides.writer.get(keyword), sides.reader.get(keyword)
        if before == after:
            continue
        weighs = keyword == "pattern" or after in CHECKED_FORMATS
        if after is None:
            words = f"{{reader}} no longer asks for the {keyword} {before} at {{place}}."
            yield sides.differs(f"{keyword}_removed", words, ok=True)
        elif before is None:
            words = f"{{place}} must have the {keyword} {after} now; events of {{writer}} may hold any text."
            yield sides.differs(f"{keyword}_added", words, ok=not weighs)
        else:
            words = f"{{place}} must have the {keyword} {after} now; events of {{writer}} have {before}."
            yield sides.differs(f"{keyword}_changed", words, ok=not weighs)


def _bound(
    sides: Sides,
    low: str,
    high: str,
    name: str,
    unit: str,
    *,
    least: int | None = None,
    most: int | None = None,
) -> Iterator[Difference]:
    implied_low = sides.writer.get(low, 0) if least is None else least
    implied_high = sides.writer.get(high) if most is None else most
    before, after = sides.writer.get(low, 0), sides.reader.get(low, 0)
    if after != before:
        ok = after <= implied_low
        words = (
            f"{{place}} must have at least {after} {unit} now; events of {{writer}} may have {implied_low}."
        )
        words = words if not ok else f"{{place}} must have at least {after} {unit} now instead of {before}."
        yield sides.differs(f"min_{name}_{_went(before or None, after or None)}", words, ok=ok)
    before_high, after_high = sides.writer.get(high), sides.reader.get(high)
    if after_high != before_high:
        ok = after_high is None or (implied_high is not None and implied_high <= after_high)
        may = "any number" if implied_high is None else implied_high
        limit = f"at most {after_high}" if after_high is not None else "any number of"
        words = f"{{place}} may have {limit} {unit} now; events of {{writer}} may have {may}."
        yield sides.differs(f"max_{name}_{_went(before_high, after_high)}", words, ok=ok)


def _least(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)


def _went(before: Any, after: Any) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "increased" if after > before else "decreased"


# A bound as (value, 1 if the value itself is excluded); times -1 for upper bounds, so that larger is tighter.
_Edge = tuple[Decimal, int] | None


def _edge(node: Node, inclusive: str, exclusive: str, sign: int, whole: bool) -> _Edge:
    edges = []
    if isinstance(node.get(inclusive), int | float):
        edges.append((sign * Decimal(str(node[inclusive])), 0))
    if isinstance(node.get(exclusive), int | float) and not isinstance(node.get(exclusive), bool):
        value = sign * Decimal(str(node[exclusive]))
        # Among integers, more than 4 is 5 and up.
        edges.append((value + 1, 0) if whole and value == value.to_integral_value() else (value, 1))
    return max(edges, default=None)


def _edges(
    sides: Sides, inclusive: str, exclusive: str, before: _Edge, after: _Edge, sign: int
) -> Iterator[Difference]:
    for keyword in (inclusive, exclusive):
        was, now = sides.writer.get(keyword), sides.reader.get(keyword)
        if was == now:
            continue
        ok = after is None or (before is not None and after <= before)
        name = {"exclusiveMinimum": "exclusive_minimum", "exclusiveMaximum": "exclusive_maximum"}
        kind = f"{name.get(keyword, keyword)}_{_went(was, now)}"
        if now is None:
            if not ok:
                continue  # the other keyword of this edge tells of it
            words = f"{{reader}} has no {keyword} at {{place}} any more; it was {was}."
        else:
            side = "lower" if sign > 0 else "higher"
            words = f"the {keyword} of {{place}} is {now} in {{reader}}; events of {{writer}} may hold {side} numbers."
            words = (
                words
                if not ok
                else f"the {keyword} of {{place}} is {now} in {{reader}}, which lets all pass."
            )
        yield sides.differs(kind, words, ok=ok)


def _multiples(sides: Sides, whole: bool) -> Iterator[Difference]:
    before, after = sides.writer.get("multipleOf"), sides.reader.get("multipleOf")
    if before == after:
        return
    if after is None:
        yield sides.differs(
            "multiple_of_removed", f"{{place}} need not be a multiple of {before} any more.", ok=True
        )
        return
    step = Decimal(str(after))
    known = Decimal(str(before)) if before is not None else (Decimal(1) if whole else None)
    ok = known is not None and known % step == 0
    if before is None:
        kind = "multiple_of_added"
    elif ok:
        kind = "multiple_of_reduced"
    else:
        kind = (
            "multiple_of_expanded"
            if Decimal(str(after)) % Decimal(str(before)) == 0
            else "multiple_of_changed"
        )
    words = f"{{place}} must be a multiple of {after} in {{reader}}; events of {{writer}} need not."
    words = words if not ok else f"{{place}} must be a multiple of {after} in {{reader}}, as all were before."
    yield sides.differs(kind, words, ok=ok)
