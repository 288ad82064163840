"""Members of objects: `properties`, `required`, and the content model that decides about all others.

A model is open where members without a schema of their own may be anything (`additionalProperties` is absent or true),
closed where there may be none (false), partially open where they must fit a schema, or a pattern of their names.
"""

import re
from collections.abc import Iterator
from typing import Any

from eventhub.schemas.compatibility.difference import Difference, Place
from eventhub.schemas.compatibility.document import NOTHING, Node, is_nothing
from eventhub.schemas.compatibility.walk import Sides


def model_of(node: Node) -> str:
    """``open``, ``closed`` or ``partially_open``."""
    others = node.get("additionalProperties", {})
    if node.get("patternProperties"):
        return "partially_open" if others != {} else "open"
    return "open" if others == {} else "closed" if is_nothing(others) else "partially_open"


def schema_for(node: Node, name: str) -> Node:
    """What a node asks of the member `name`."""
    parts = [part for pattern, part in node.get("patternProperties", {}).items() if matches(pattern, name)]
    if name in node.get("properties", {}):
        parts.insert(0, node["properties"][name])
    if not parts:
        others: Node = node.get("additionalProperties", {})
        return others
    return parts[0] if len(parts) == 1 else {"allOf": parts}


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern of names matches one. A pattern that Python cannot read matches nothing it is asked for."""
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def property_rule(sides: Sides) -> Iterator[Difference]:
    """Every member that either side names."""
    if not sides.may_be("object"):
        return
    before, after = sides.writer.get("properties", {}), sides.reader.get("properties", {})
    for name in [*before, *(name for name in after if name not in before)]:
        theirs, ours = schema_for(sides.writer, name), schema_for(sides.reader, name)
        at = sides.at.property(name)
        if is_nothing(theirs) and name in before:
            continue
        if name in before and name in after:
            yield from sides.inside(theirs, ours, at)
        elif name in before:
            yield from _removed(sides, name, theirs, ours, at)
        else:
            yield from _added(sides, name, theirs, ours, at)


def _added(sides: Sides, name: str, theirs: Node, ours: Node, at: Place) -> Iterator[Difference]:
    model = model_of(sides.writer)
    inner = sides.inside(theirs, ours, at)
    ok = all(one.is_compatible for one in inner)
    if model == "closed":
        if name not in sides.reader.get("required", ()):
            words = "{place} is new and optional; events of {writer} cannot hold it."
            yield sides.differs("optional_property_added_to_unopen_content_model", words, ok=ok, at=at)
        return  # that a new member is required, `required_rule` tells
    if model == "open":
        kind = "property_with_empty_schema_added_to_open_content_model" if ok else _ADDED_TO_OPEN
        words = (
            "{place} is new in {reader}, and may be anything."
            if ok
            else "{place} is new in {reader}; events of {writer} may hold it already, with a value of another "
            "kind: {writer} does not forbid members that it does not name."
        )
        yield sides.differs(kind, words, ok=ok, at=at)
        return
    covered = "is" if ok else "not"
    fits = "fits" if ok else "does not fit"
    words = f"{{place}} is new in {{reader}}; what {{writer}} allows other members {fits} it."
    yield sides.differs(
        f"property_added_{covered}_covered_by_partially_open_content_model", words, ok=ok, at=at
    )
    yield from (one for one in inner if not one.is_compatible)


_ADDED_TO_OPEN = "property_added_to_open_content_model"


def _removed(sides: Sides, name: str, theirs: Node, ours: Node, at: Place) -> Iterator[Difference]:
    model = model_of(sides.reader)
    if model == "open" and ours == {}:
        words = "{reader} does not name {place} any more, and takes it as it comes."
        yield sides.differs("property_removed_from_open_content_model", words, ok=True, at=at)
        return
    if model == "closed":
        words = "{reader} does not know {place} any more and allows no members that it does not name."
        yield sides.differs("property_removed_from_closed_content_model", words, ok=False, at=at)
        return
    inner = sides.inside(theirs, ours, at)
    ok = all(one.is_compatible for one in inner)
    covered = "is" if ok else "not"
    fits = "fits" if ok else "refuses"
    words = f"{{reader}} does not name {{place}} any more; what it asks of other members {fits} it."
    yield sides.differs(
        f"property_removed_{covered}_covered_by_partially_open_content_model", words, ok=ok, at=at
    )
    yield from (one for one in inner if not one.is_compatible)


def required_rule(sides: Sides) -> Iterator[Difference]:
    """What the reader requires, the writer must require, or a default of the reader must stand in."""
    if not sides.may_be("object"):
        return
    before, after = set(sides.writer.get("required", ())), set(sides.reader.get("required", ()))
    named = sides.writer.get("properties", {})
    for name in sorted(after - before):
        at = sides.at.property(name)
        default = _default(sides, name)
        if default is not None and not sides.strict:
            words = "{place} is required in {reader}; its default stands in where events of {writer} lack it."
            kind = "required_attribute_with_default_added"
            if name not in named and model_of(sides.writer) == "closed":
                kind = "required_property_with_default_added_to_unopen_content_model"
            yield sides.differs(kind, words, ok=True, at=at)
            continue
        kind = "required_attribute_added"
        if name not in named and model_of(sides.writer) == "closed":
            kind = "required_property_added_to_unopen_content_model"
        words = "{place} is required in {reader}, and events of {writer} may lack it. "
        words += (
            "Its default cannot be relied on here, where another keyword looks at what is missing."
            if default is not None
            else "Give it a default, or leave it optional."
        )
        yield sides.differs(kind, words, ok=False, at=at)
    for name in sorted(before - after):
        words = "{place} is no longer required."
        yield sides.differs("required_attribute_removed", words, ok=True, at=sides.at.property(name))


def _default(sides: Sides, name: str) -> Any:
    """A default that the reader's own schema accepts; None for none (null is no default for a required member)."""
    schema = sides.reader.get("properties", {}).get(name, {})
    default = schema.get("default")
    if default is None or sides.walk.accepts(schema_for(sides.reader, name), default) is not None:
        return None
    return default


def others_rule(sides: Sides) -> Iterator[Difference]:
    """Members that neither side names: `additionalProperties` and `patternProperties`."""
    if not sides.may_be("object"):
        return
    yield from _additional(sides)
    yield from _patterns(sides)


def _additional(sides: Sides) -> Iterator[Difference]:
    before = sides.writer.get("additionalProperties", {})
    after = sides.reader.get("additionalProperties", {})
    if before == after == {} or (is_nothing(before) and is_nothing(after)):
        return
    at = sides.at.other_properties()
    if is_nothing(before):
        words = "{reader} allows members that it does not name."
        yield sides.differs("additional_properties_added", words, ok=True, at=at)
    elif is_nothing(after):
        words = "{reader} allows no members that it does not name; events of {writer} may hold some."
        yield sides.differs("additional_properties_removed", words, ok=False, at=at)
    elif after == {}:
        words = "{reader} takes members that it does not name as they come."
        yield sides.differs("additional_properties_extended", words, ok=True, at=at)
    elif before == {}:
        inner = sides.inside(before, after, at)
        ok = all(one.is_compatible for one in inner)
        words = "members that {reader} does not name must fit a schema now; in events of {writer} they may be anything."
        yield sides.differs("additional_properties_narrowed", words, ok=ok, at=at)
    else:
        yield from sides.inside(before, after, at)


def _patterns(sides: Sides) -> Iterator[Difference]:
    before, after = sides.writer.get("patternProperties", {}), sides.reader.get("patternProperties", {})
    others_before = sides.writer.get("additionalProperties", {})
    others_after = sides.reader.get("additionalProperties", {})
    for pattern in [*before, *(pattern for pattern in after if pattern not in before)]:
        at = sides.at.matching(pattern)
        if pattern in before and pattern in after:
            yield from sides.inside(before[pattern], after[pattern], at)
        elif pattern in before:
            # A name that matches it may match no pattern of the reader's.
            inner = sides.inside(before[pattern], others_after, at)
            ok = all(one.is_compatible for one in inner)
            words = f"{{reader}} has no schema any more for members with names like /{pattern}/."
            yield sides.differs("pattern_property_removed", words, ok=ok, at=at)
            yield from (one for one in inner if not one.is_compatible)
        else:
            possible = [others_before, *before.values()] if before else [others_before]
            inner = [one for part in possible for one in sides.inside(part, after[pattern], at)]
            ok = all(one.is_compatible for one in inner)
            words = f"members with names like /{pattern}/ must fit a schema now; events of {{writer}} may hold others."
            words = (
                words if not ok else f"members with names like /{pattern}/ have a schema of their own now."
            )
            yield sides.differs("pattern_property_added", words, ok=ok, at=at)


def name_rule(sides: Sides) -> Iterator[Difference]:
    """`propertyNames`."""
    before, after = sides.writer.get("propertyNames"), sides.reader.get("propertyNames")
    if not sides.may_be("object") or before == after:
        return
    at = sides.at.under("propertyNames")
    if after is None:
        yield sides.differs(
            "property_names_removed", "the names of members of {place} are free now.", ok=True
        )
        return
    possible = {"allOf": [{"type": ["string"]}, before or {}]}
    if "$nothing" in sides.writer.get("additionalProperties", {}) and not sides.writer.get(
        "patternProperties"
    ):
        possible = {"enum": [n for n, part in sides.writer.get("properties", {}).items() if part != NOTHING]}
    inner = [] if possible.get("enum") == [] else sides.inside(possible, after, at, strict=True)
    ok = all(one.is_compatible for one in inner)
    words = "the names of members of {place} must fit a schema; those in events of {writer} may not."
    words = words if not ok else "the names of members of {place} must fit a schema, as all did before."
    yield sides.differs("property_names_changed" if before else "property_names_added", words, ok=ok, at=at)
