"""Whether two schemas have no value in common, as far as that can be told."""

from eventhub.schemas.compatibility.document import Document, Node, is_nothing, same
from eventhub.schemas.compatibility.merging import conjuncts, types_of
from eventhub.schemas.compatibility.objects import schema_for

MAX_DEPTH = 6


def are_disjoint(one: Node, in_one: Document, other: Node, in_other: Document, depth: int = 0) -> bool:
    """True only where it is certain that no value is valid in both."""
    if depth > MAX_DEPTH:
        return False
    return any(
        _are_apart(this, in_one, that, in_other, depth)
        for this in conjuncts(one, in_one)
        for that in conjuncts(other, in_other)
    ) or _by_alternatives(one, in_one, other, in_other, depth)


def _by_alternatives(one: Node, in_one: Document, other: Node, in_other: Document, depth: int) -> bool:
    for this in conjuncts(one, in_one):
        for keyword in ("anyOf", "oneOf"):
            if keyword in this and all(
                are_disjoint(part, in_one, other, in_other, depth + 1) for part in this[keyword]
            ):
                return True
    for that in conjuncts(other, in_other):
        for keyword in ("anyOf", "oneOf"):
            if keyword in that and all(
                are_disjoint(one, in_one, part, in_other, depth + 1) for part in that[keyword]
            ):
                return True
    return False


def _are_apart(one: Node, in_one: Document, other: Node, in_other: Document, depth: int) -> bool:
    if is_nothing(one) or is_nothing(other):
        return True
    types = types_of(one) & types_of(other)
    if not types:
        return True
    if "enum" in one and "enum" in other:
        return not any(same(value, other["enum"]) for value in one["enum"])
    checks = []
    for kind in types:
        if kind in ("integer", "number"):
            checks.append(_bounds_apart(one, other, "minimum", "maximum") or _exclusive_apart(one, other))
        elif kind == "string":
            checks.append(_bounds_apart(one, other, "minLength", "maxLength"))
        elif kind == "array":
            checks.append(_bounds_apart(one, other, "minItems", "maxItems"))
        elif kind == "object":
            checks.append(_objects_apart(one, in_one, other, in_other, depth))
        else:
            checks.append(False)
    return all(checks)


def _bounds_apart(one: Node, other: Node, low: str, high: str) -> bool:
    return any(low in a and high in b and a[low] > b[high] for a, b in ((one, other), (other, one)))


def _exclusive_apart(one: Node, other: Node) -> bool:
    for a, b in ((one, other), (other, one)):
        for low, high in (
            ("exclusiveMinimum", "maximum"),
            ("minimum", "exclusiveMaximum"),
            ("exclusiveMinimum", "exclusiveMaximum"),
        ):
            if low in a and high in b and a[low] >= b[high]:
                return True
    return False


def _objects_apart(one: Node, in_one: Document, other: Node, in_other: Document, depth: int) -> bool:
    """A member that one side requires, and whose values the two sides do not share, tells them apart."""
    for name in {*one.get("required", ()), *other.get("required", ())}:
        if are_disjoint(schema_for(one, name), in_one, schema_for(other, name), in_other, depth + 1):
            return True
    return False
