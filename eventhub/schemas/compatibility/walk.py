"""Two schemas held against each other: whether all that the writer's allows, the reader's accepts.

Every keyword of the reader's schema must follow from the writer's. Where that cannot be shown, there is a difference
that is not compatible: a verdict "compatible" is safe, however unusual the schemas.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jsonschema_rs
import msgspec

from eventhub.schemas.compatibility.difference import Difference, Place
from eventhub.schemas.compatibility.document import Document, Node, is_nothing, whole
from eventhub.schemas.compatibility.merging import conjuncts, merge_all, types_of

# A comparison of usual schemas takes some hundred steps.
MAX_STEPS = 20_000
MAX_DEPTH = 40

Rule = Callable[["Sides"], Iterable[Difference]]


class TooComplex(ValueError):
    """Two schemas cannot be compared within the steps that a comparison may take."""


class Sides(msgspec.Struct, frozen=True):
    """The writer's and the reader's node of one place, for a rule to compare."""

    walk: "Walk"
    writer: Node
    reader: Node
    at: Place
    # Whether what a default fills in cannot be relied on here: something around it may look at what is missing.
    strict: bool
    # What the writer's whole schema of this place can be, and the reader's node.
    types: frozenset[str]

    def may_be(self, *types: str) -> bool:
        """Whether a value of one of these types reaches the reader's keywords."""
        return any(kind in self.types and kind in types_of(self.reader) for kind in types)

    def differs(self, kind: str, words: str, *, ok: bool, at: Place | None = None) -> Difference:
        """A difference; {writer} and {reader} in the words become their names."""
        return self.walk.differs(kind, words, ok=ok, at=at or self.at)

    def inside(self, writer: Node, reader: Node, at: Place, *, strict: bool = False) -> list[Difference]:
        """The differences of two nodes within these."""
        return self.walk.compare(writer, reader, at, strict=self.strict or strict)


class Walk:
    """One comparison, in one direction."""

    def __init__(
        self,
        writer: Document,
        reader: Document,
        rules: Sequence[Rule],
        names: tuple[str, str],
        depth: int = 0,
    ) -> None:
        self.writer, self.reader, self.rules, self.names = writer, reader, rules, names
        self._depth = depth
        self._open: set[bytes] = set()
        self._steps = [0]

    def reversed(self) -> "Walk":
        """Whether what the reader allows, the writer does."""
        walk = Walk(self.reader, self.writer, self.rules, (self.names[1], self.names[0]), self._depth)
        walk._steps = self._steps
        return walk

    def differs(self, kind: str, words: str, *, ok: bool, at: Place) -> Difference:
        """A difference; {writer} and {reader} in the words become their names, {place} the place."""
        place = "the data" if at.path == "$" else f"`{at.path.removeprefix('$.')}`"
        for name, value in (("place", place), ("writer", self.names[0]), ("reader", self.names[1])):
            words = words.replace("{" + name + "}", value)
        return Difference(at.path, kind, ok, words[:1].upper() + words[1:], at.pointer)

    def compare(self, writer: Node, reader: Node, at: Place, *, strict: bool = False) -> list[Difference]:
        """Every difference of two nodes. Raises TooComplex."""
        self._steps[0] += 1
        if self._steps[0] > MAX_STEPS:
            raise TooComplex("The schemas are too large, or refer to each other too often, to be compared.")
        writer, reader = _target(writer, self.writer), _target(reader, self.reader)
        key = msgspec.json.encode([writer, reader, strict], order="deterministic")
        if key in self._open:  # a schema within itself: it holds inside if it holds outside
            return []
        if self._depth > MAX_DEPTH:
            return [
                self.differs("nested_too_deep", "{place} is nested too deep to compare.", ok=False, at=at)
            ]
        self._open.add(key)
        self._depth += 1
        try:
            writers, readers = conjuncts(writer, self.writer), conjuncts(reader, self.reader)
            found = _once(self.all_of(writers, readers, at, strict=strict))
            return [*_conjunctions(self, writer, reader, at, found), *found]
        finally:
            self._depth -= 1
            self._open.discard(key)

    def all_of(
        self, writers: list[Node], readers: list[Node], at: Place, *, strict: bool
    ) -> list[Difference]:
        """The differences of what holds together on either side."""
        strict = strict or len(readers) > 1
        return [one for reader in readers for one in self._against(writers, reader, at, strict)]

    def _against(self, writers: list[Node], reader: Node, at: Place, strict: bool) -> list[Difference]:
        if any(is_nothing(writer) for writer in writers):
            return []
        if is_nothing(reader):
            words = "{reader} allows no value at {place}, and {writer} does."
            return [self.differs("schema_became_false", words, ok=False, at=at)]
        types = frozenset.intersection(*map(types_of, writers))
        strict = strict or bool(LOOKING_AROUND & reader.keys())
        found: list[Difference] = []
        is_listed = any(is_finite(writer, types, reader) for writer in writers)
        for rule in self.rules[1:2] if is_listed else self.rules:
            ways = [list(rule(Sides(self, writer, reader, at, strict, types))) for writer in writers]
            found += best(ways)
        if all(one.is_compatible for one in found):
            return found
        by_case = self._by_case(writers, reader, at, strict)
        if by_case is None or (by_case and ALTERNATIVES & reader.keys()):
            return found
        return [*by_case, *(one for one in found if one.is_compatible)]

    def _by_case(self, writers: list[Node], reader: Node, at: Place, strict: bool) -> list[Difference] | None:
        """What breaks for each alternative, or each type, of the writer's; None where it has no several."""
        for index, writer in enumerate(writers):
            keyword: str | None = next((word for word in ("oneOf", "anyOf") if word in writer), None)
            cases: list[Node] = writer[keyword] if keyword else []
            if not keyword and ALTERNATIVES & reader.keys() and len(writer.get("type", ())) > 1:
                keyword, cases = "type", [{"type": [kind]} for kind in writer["type"]]
            if not keyword:
                continue
            others = [*writers[:index], _without(writer, keyword), *writers[index + 1 :]]
            found: list[Difference] = []
            for case in cases:
                parts = merge_all([*others, *conjuncts(case, self.writer)])
                found += self._against(parts, reader, at, strict)
            return [one for one in _once(found) if not one.is_compatible]
        return None

    def is_same(self, writer: Node, reader: Node) -> bool:
        """Whether two nodes are written alike, with everything that they refer to."""
        return bool(whole(writer, self.writer) == whole(reader, self.reader))

    def reversed_breaks(self, reader: Node, writer: Node, at: Place) -> bool:
        """Whether something that `reader` allows may not fit `writer`."""
        found = self.reversed().compare(reader, writer, at, strict=True)
        return any(not one.is_compatible for one in found)

    def accepts(self, reader: Node, value: Any) -> str | None:
        """Why the reader refuses a value, or None."""
        try:
            jsonschema_rs.validator_for(whole(reader, self.reader), validate_formats=True).validate(value)
        except jsonschema_rs.ValidationError as error:
            return error.message
        except ValueError as error:
            return str(error)
        return None


ALTERNATIVES = {"anyOf", "oneOf"}
# Keywords of the reader that may judge an object by what is missing in it.
LOOKING_AROUND = {
    "anyOf",
    "oneOf",
    "not",
    "if",
    "enum",
    "propertyNames",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedProperties",
    "unevaluatedItems",
    "uniqueItems",
    "contains",
    "maxProperties",
    "$apart",
}


def is_finite(writer: Node, types: frozenset[str], reader: Node) -> bool:
    """Whether the writer's values are so few that each can be tried."""
    return "enum" in writer or ("enum" in reader and bool(types) and types <= {"boolean", "null"})


def best(ways: list[list[Difference]]) -> list[Difference]:
    """Of several ways to show one thing, that which leaves the fewest differences that are not compatible."""
    return min(ways, key=lambda way: sum(not one.is_compatible for one in way), default=[])


def _target(node: Node, document: Document) -> Node:
    """What a node refers to, if it does nothing else."""
    visited: set[str] = set()
    while len(node) == 1 and (place := node.get("$ref")) is not None and place not in visited:
        visited.add(place)
        node = document.at(place)
    return node


def _without(node: Node, keyword: str) -> Node:
    return {key: value for key, value in node.items() if key != keyword}


def _once(found: list[Difference]) -> list[Difference]:
    return list(dict.fromkeys(found))


def _conjunctions(
    walk: Walk, writer: Node, reader: Node, at: Place, found: list[Difference]
) -> list[Difference]:
    """What an `allOf` gained or lost, as one difference beside what it comes to."""
    before, after = len(writer.get("allOf", ())), len(reader.get("allOf", ()))
    ok = all(one.is_compatible for one in found)
    if after > before > 0:
        words = "{reader} asks for more at {place}: its allOf has {more} parts instead of {before}."
        words = words.replace("{more}", str(after)).replace("{before}", str(before))
        return [walk.differs("product_type_extended", words, ok=ok, at=at)]
    if before > after > 0:
        words = "{reader} asks for less at {place}: its allOf has lost a part."
        return [walk.differs("product_type_narrowed", words, ok=ok, at=at)]
    return []
