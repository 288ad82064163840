"""`not`, and `if` with `then` and `else`."""

from collections.abc import Iterator

from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.disjoint import are_disjoint
from eventhub.schemas.compatibility.merging import conjuncts, merge_all
from eventhub.schemas.compatibility.walk import Sides


def not_rule(sides: Sides) -> Iterator[Difference]:
    """What the reader refuses, the writer must refuse or be unable to say."""
    before, after = sides.writer.get("not"), sides.reader.get("not")
    if after is None:
        if before is not None:
            yield sides.differs("not_type_removed", "{reader} refuses less at {place}.", ok=True)
        return
    at = sides.at.under("not")
    ok = before is not None and not sides.walk.reversed_breaks(after, before, at)
    if before == after and ok:
        return
    ok = ok or are_disjoint(sides.writer, sides.walk.writer, after, sides.walk.reader)
    if before is None:
        words = "{reader} refuses some of what {writer} allows at {place}."
        words = words if not ok else "{reader} refuses at {place} what {writer} cannot say."
        yield sides.differs("not_type_added", words, ok=ok, at=at)
    else:
        kind = "not_type_narrowed" if ok else "not_type_extended"
        words = (
            "{reader} refuses no more at {place} than {writer}."
            if ok
            else "{reader} refuses more at {place}."
        )
        yield sides.differs(kind, words, ok=ok, at=at)


def condition_rule(sides: Sides) -> Iterator[Difference]:
    """What the reader asks for under a condition, the writer must promise under the same one, or always."""
    after = sides.reader.get("if")
    if after is None or not {"then", "else"} & sides.reader.keys():
        if "if" in sides.writer and after is None:
            yield sides.differs("condition_removed", "{reader} has no condition at {place}.", ok=True)
        return
    before = sides.writer.get("if")
    is_same = before is not None and sides.walk.is_same(before, after)
    inner: list[Difference] = []
    for branch in ("then", "else"):
        if branch not in sides.reader:
            continue
        writers = [{key: value for key, value in sides.writer.items() if key not in ("if", "then", "else")}]
        if is_same and branch in sides.writer:
            writers += conjuncts(sides.writer[branch], sides.walk.writer)
        writers = merge_all(writers)
        readers = conjuncts(sides.reader[branch], sides.walk.reader)
        inner += sides.walk.all_of(writers, readers, sides.at.under(branch), strict=True)
    ok = all(one.is_compatible for one in inner)
    if is_same:
        yield from (one for one in inner if not one.is_compatible)
        return
    words = "{reader} asks for more at {place} under a condition; events of {writer} need not fit that."
    words = words if not ok else "{reader} has a condition at {place} that all events of {writer} fit."
    kind = "condition_added" if before is None else "condition_changed"
    yield sides.differs(kind, words, ok=ok, at=sides.at.under("if"))


def leftover_rule(sides: Sides) -> Iterator[Difference]:
    """`unevaluated…` that could not be read as `additional…`: compatible only where nothing of the schema changed."""
    for keyword, name in (("unevaluatedProperties", "properties"), ("unevaluatedItems", "items")):
        if sides.reader.get(keyword, {}) == {}:
            continue
        if not sides.may_be("object" if name == "properties" else "array"):
            continue
        if "$apart" not in sides.reader and sides.walk.is_same(sides.writer, sides.reader):
            continue
        words = f"{{reader}} has {keyword} at {{place}}, beside alternatives: what it refuses cannot be told for sure."
        yield sides.differs(f"unevaluated_{name}_changed", words, ok=False, at=sides.at.under(keyword))
