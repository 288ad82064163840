"""`dependentRequired` and `dependentSchemas` (draft 7's `dependencies` is read as these)."""

from collections.abc import Iterator

from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.document import Node, is_nothing
from eventhub.schemas.compatibility.merging import conjuncts, merge_all
from eventhub.schemas.compatibility.objects import schema_for
from eventhub.schemas.compatibility.walk import Sides


def dependent_required_rule(sides: Sides) -> Iterator[Difference]:
    """What must be there where another member is."""
    if not sides.may_be("object"):
        return
    before, after = (node.get("dependentRequired", {}) for node in (sides.writer, sides.reader))
    always = set(sides.writer.get("required", ()))
    for name in sorted({*before, *after}):
        known, wanted = set(before.get(name, ())), set(after.get(name, ()))
        at = sides.at.property(name)
        if more := sorted(wanted - known):
            ok = set(more) <= always | {name} or is_nothing(schema_for(sides.writer, name))
            kind = "dependency_array_extended" if known else "dependency_array_added"
            kind = "dependency_array_changed" if known - wanted else kind
            words = (
                f"{{reader}} wants {', '.join(more)} wherever {{place}} is; events of {{writer}} may lack it."
            )
            words = (
                words
                if not ok
                else f"{{reader}} wants {', '.join(more)} wherever {{place}} is, as all events have."
            )
            yield sides.differs(kind, words, ok=ok, at=at)
        elif known - wanted:
            kind = "dependency_array_narrowed" if wanted else "dependency_array_removed"
            yield sides.differs(kind, "{reader} asks for less where {place} is.", ok=True, at=at)


def dependent_schema_rule(sides: Sides) -> Iterator[Difference]:
    """What must hold of the whole object where a member is."""
    if not sides.may_be("object"):
        return
    before, after = (node.get("dependentSchemas", {}) for node in (sides.writer, sides.reader))
    for name in sorted({*before, *after}):
        at = sides.at.property(name)
        if name not in after:
            words = "{reader} asks for nothing more where {place} is."
            yield sides.differs("dependency_schema_removed", words, ok=True, at=at)
            continue
        if is_nothing(schema_for(sides.writer, name)):
            continue
        inner = _where_it_is(sides, name, before.get(name), after[name])
        if name not in before:
            ok = all(one.is_compatible for one in inner)
            words = "{reader} asks for more where {place} is; events of {writer} may not fit that."
            words = words if not ok else "{reader} asks for more where {place} is, which all events fit."
            yield sides.differs("dependency_schema_added", words, ok=ok, at=at)
        yield from (one for one in inner if not one.is_compatible)


def _where_it_is(sides: Sides, name: str, before: Node | None, after: Node) -> list[Difference]:
    """What the writer says of an object that has the member, against what the reader wants of it."""
    walk = sides.walk
    there = {**sides.writer, "required": sorted({*sides.writer.get("required", ()), name})}
    there["dependentSchemas"] = {n: s for n, s in there.get("dependentSchemas", {}).items() if n != name}
    writers = merge_all([there, *(conjuncts(before, walk.writer) if before is not None else [])])
    at = sides.at.under("dependentSchemas", name)
    return walk.all_of(writers, conjuncts(after, walk.reader), at, strict=True)
