"""`anyOf` and `oneOf`: every alternative of the writer's must find one of the reader's.

For `oneOf` exactly one. Confluent's registry does not look at that; here a value that would fit two alternatives of the
reader is a difference that breaks, because the reader refuses it.
"""

from collections.abc import Iterator, Sequence

from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.disjoint import are_disjoint
from eventhub.schemas.compatibility.document import Node
from eventhub.schemas.compatibility.merging import conjuncts, merge_all
from eventhub.schemas.compatibility.walk import Sides, best


def alternative_rule(sides: Sides) -> Iterator[Difference]:
    """Both keywords, each by itself."""
    for keyword in ("anyOf", "oneOf"):
        if keyword in sides.reader:
            yield from _alternatives(sides, keyword, sides.reader[keyword])
        elif keyword in sides.writer and not ({"anyOf", "oneOf"} & sides.reader.keys()):
            words = "{reader} has one schema at {place} instead of alternatives."
            yield sides.differs("combined_type_removed", words, ok=True)


def _alternatives(sides: Sides, keyword: str, readers: Sequence[Node]) -> Iterator[Difference]:
    kind = next((word for word in ("oneOf", "anyOf") if word in sides.writer), None)
    if kind is None:
        yield from _single(sides, keyword, readers)
        return
    rest = {key: value for key, value in sides.writer.items() if key != kind}
    cases = [merge_all([rest, *conjuncts(case, sides.walk.writer)]) for case in sides.writer[kind]]
    # Where exactly one of the writer's alternatives holds, the others do not.
    excluded = list(sides.writer[kind]) if kind == "oneOf" else []
    chosen: set[int] = set()
    found: list[Difference] = []
    for index, case in enumerate(cases):
        others = [part for number, part in enumerate(excluded) if number != index]
        own = conjuncts(sides.writer[kind][index], sides.walk.writer)
        match, way = _match(sides, own, keyword, readers, others, index)
        if match is None:  # with what the writer says beside its alternatives
            match, way = _match(sides, case, keyword, readers, others, index)
        found += way
        if match is not None:
            chosen.add(match)
    if all(one.is_compatible for one in found) and len(readers) > len(chosen):
        more = len(readers) - len(chosen)
        words = f"{{place}} may be one of {more} more alternative{'s' if more > 1 else ''} in {{reader}}."
        if len(readers) > len(cases):
            yield sides.differs("sum_type_extended", words, ok=True)
    elif len(readers) < len(cases) and any(not one.is_compatible for one in found):
        words = f"{{reader}} has {len(readers)} alternatives at {{place}}; {{writer}} has {len(cases)}."
        yield sides.differs("sum_type_narrowed", words, ok=False)
    yield from found


def _single(sides: Sides, keyword: str, readers: Sequence[Node]) -> Iterator[Difference]:
    match, way = _match(sides, [sides.writer], keyword, readers, [], None)
    if match is not None and len(readers) > 1 and all(one.is_compatible for one in way):
        yield sides.differs("sum_type_extended", "{place} has alternatives now; what it was is one.", ok=True)
    yield from way


def _match(
    sides: Sides,
    case: list[Node],
    keyword: str,
    readers: Sequence[Node],
    excluded: list[Node],
    index: int | None,
) -> tuple[int | None, list[Difference]]:
    """Which of the reader's alternatives takes the writer's, and the differences that remain."""
    walk = sides.walk
    ways = []
    for number, reader in enumerate(readers):
        at = sides.at.under(keyword, number)
        way = walk.all_of(case, conjuncts(reader, walk.reader), at, strict=True)
        broken = [one for one in way if not one.is_compatible]
        if not broken:
            clash = keyword == "oneOf" and next(
                (
                    n
                    for n in range(len(readers))
                    if n != number and not _apart(sides, case, readers[n], excluded)
                ),
                None,
            )
            if clash is False or clash is None:
                return number, way
            words = (
                f"a value of {{place}} that fits alternative {number + 1} of {{reader}} may fit alternative "
                f"{clash + 1} too, and oneOf allows only one. "
                "Tell them apart by a member with a fixed value, or use anyOf."
            )
            return None, [sides.differs("one_of_overlaps", words, ok=False)]
        ways.append(broken)
    if len(ways) == 1:
        return None, ways[0]
    which = f"alternative {index + 1} of {{writer}}" if index is not None else "what {writer} allows"
    nearest = best(ways)
    why = nearest[0].words if nearest else "{reader} has no alternatives"
    words = f"{which} fits none of the alternatives of {{reader}} at {{place}}. The nearest: {why}"
    return None, [sides.differs("combined_type_subschemas_changed", words, ok=False)]


def _apart(sides: Sides, case: list[Node], reader: Node, excluded: list[Node]) -> bool:
    """Whether nothing of the writer's case can fit another alternative of the reader's."""
    walk = sides.walk
    if any(are_disjoint(part, walk.writer, reader, walk.reader) for part in case):
        return True
    # It is within an alternative that the writer's value does not fit.
    return any(not walk.reversed_breaks(reader, other, sides.at) for other in excluded)
