"""Lists and tuples: `prefixItems`, `items`, `contains` (draft 7's `items` and `additionalItems` are read as these)."""

from collections.abc import Iterator

from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.document import Node, is_nothing
from eventhub.schemas.compatibility.walk import Sides


def item_rule(sides: Sides) -> Iterator[Difference]:
    """The items of a list, position by position where there is a tuple."""
    if not sides.may_be("array"):
        return
    before, after = sides.writer.get("prefixItems", []), sides.reader.get("prefixItems", [])
    rest_before, rest_after = sides.writer.get("items", {}), sides.reader.get("items", {})
    most = sides.writer.get("maxItems")
    if (before or after) and not (before and after):
        yield from _became(sides, has_tuple=bool(after))
    for position in range(max(len(before), len(after))):
        if most is not None and position >= most:
            return
        at = sides.at.item(position)
        theirs = before[position] if position < len(before) else rest_before
        ours = after[position] if position < len(after) else rest_after
        inner = sides.inside(theirs, ours, at)
        if position < len(before) and position < len(after):
            yield from inner
            continue
        ok = all(one.is_compatible for one in inner)
        if position >= len(before):
            model = _model(rest_before)
            kind = _kind("added", "to", model, ok=ok, is_empty=ours == {})
            words = f"a schema for item {position} is new in {{reader}}; events of {{writer}} may hold others there."
            words = (
                words
                if not ok
                else f"a schema for item {position} is new in {{reader}}; events of {{writer}} fit it."
            )
        else:
            model = _model(rest_after)
            kind = _kind("removed", "from", model, ok=ok, is_empty=theirs == {})
            words = f"{{reader}} has no schema any more for item {position}, and does not take what {{writer}} allows."
            words = (
                words if not ok else f"{{reader}} has no schema any more for item {position}, and takes it."
            )
        yield sides.differs(kind, words, ok=ok, at=at)
        if model == "partially_open":
            yield from (one for one in inner if not one.is_compatible)
    if most is None or most > max(len(before), len(after)):
        yield from _rest(sides, rest_before, rest_after, is_tuple=bool(before or after))


def _became(sides: Sides, *, has_tuple: bool) -> Iterator[Difference]:
    if has_tuple:
        yield sides.differs("list_became_tuple", "{reader} describes {place} item by item.", ok=True)
    else:
        yield sides.differs("tuple_became_list", "{reader} describes {place} as one list.", ok=True)


def _rest(sides: Sides, before: Node, after: Node, *, is_tuple: bool) -> Iterator[Difference]:
    at = sides.at.items()
    if not is_tuple and not is_nothing(before) and not is_nothing(after):
        yield from sides.inside(before, after, at)
    elif is_nothing(before) and not is_nothing(after):
        yield sides.differs(
            "additional_items_added", "{reader} allows more items in {place}.", ok=True, at=at
        )
    elif is_nothing(after) and not is_nothing(before):
        words = "{reader} allows no further items in {place}; events of {writer} may hold some."
        yield sides.differs("additional_items_removed", words, ok=False, at=at)
    elif before != after and after == {}:
        words = "{reader} takes further items of {place} as they come."
        yield sides.differs("additional_items_extended", words, ok=True, at=at)
    elif before == {} and after != {}:
        inner = sides.inside(before, after, at)
        words = "further items of {place} must fit a schema now; in events of {writer} they may be anything."
        ok = all(one.is_compatible for one in inner)
        yield sides.differs("additional_items_narrowed", words, ok=ok, at=at)
    else:
        yield from sides.inside(before, after, at)


def _model(rest: Node) -> str:
    return "open" if rest == {} else "closed" if is_nothing(rest) else "partially_open"


def _kind(what: str, preposition: str, model: str, *, ok: bool, is_empty: bool) -> str:
    if model == "partially_open":
        return f"item_{what}_{'is' if ok else 'not'}_covered_by_partially_open_content_model"
    if is_empty and (model == "open") == (what == "added"):
        return f"item_with_empty_schema_{what}_{preposition}_{model}_content_model"
    return f"item_{what}_{preposition}_{model}_content_model"


def contains_rule(sides: Sides) -> Iterator[Difference]:
    """`contains`, `minContains`, `maxContains`."""
    before, after = sides.writer.get("contains"), sides.reader.get("contains")
    if not sides.may_be("array"):
        return
    if after is None:
        if before is not None:
            yield sides.differs("contains_removed", "{place} need not contain anything now.", ok=True)
        return
    at = sides.at.under("contains")
    least, most = sides.reader.get("minContains", 1), sides.reader.get("maxContains")
    least_before = sides.writer.get("minContains", 1) if before is not None else 0
    most_before = sides.writer.get("maxContains") if before is not None else None
    if before == after and (least, most) == (least_before, most_before) and sides.walk.is_same(before, after):
        return
    ok = least == 0
    if before is not None and least <= least_before:
        ok = ok or all(one.is_compatible for one in sides.inside(before, after, at, strict=True))
    if most is not None:
        fewer = before is not None and most_before is not None and most_before <= most
        ok = ok and fewer and not sides.walk.reversed_breaks(after, before or {}, at)
    kind = "contains_added" if before is None else "contains_changed"
    words = "{reader} asks for what {place} must contain; events of {writer} may not."
    words = words if not ok else "{reader} asks for what {place} must contain, and events of {writer} do."
    yield sides.differs(kind, words, ok=ok, at=at)
