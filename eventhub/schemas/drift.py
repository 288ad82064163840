"""Where events have moved away from their schema, and it from them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from eventhub.schemas.compatibility.document import Document, Node, same
from eventhub.schemas.compatibility.merging import conjuncts
from eventhub.schemas.compatibility.objects import schema_for
from eventhub.schemas.validation import compile_schema, explain

MAX_DEPTH = 20


class Seen(msgspec.Struct, frozen=True):
    """An event, as far as drift looks at it."""

    event_id: str
    source: str
    occurred_at: datetime
    data: Any


class Stray(msgspec.Struct, frozen=True):
    """Something at a path that the schema does not know, with how often and by whom."""

    path: str
    count: int
    senders: Sequence[str]
    sample: Any = None


class Day(msgspec.Struct, frozen=True):
    """How many of a day's events broke the schema."""

    day: date
    events: int
    invalid: int

    @property
    def share(self) -> float:
        """0…1."""
        return self.invalid / self.events if self.events else 0.0


class Drift(msgspec.Struct, frozen=True):
    """The report."""

    events: int
    invalid: int
    # Fields that events have and the schema does not name.
    undeclared: Sequence[Stray]
    # Fields that the schema names and no event has.
    unseen: Sequence[str]
    # Values outside of an enum.
    outside: Sequence[Stray]
    days: Sequence[Day]
    # Services that sent invalid events, with how many.
    senders: Sequence[tuple[str, int]]
    # One event for each reason, the most frequent reason first: (reason, count, event_id).
    reasons: Sequence[tuple[str, int, str]]

    @property
    def share(self) -> float:
        """Of all events that were looked at, how many broke the schema: 0…1."""
        return self.invalid / self.events if self.events else 0.0

    @property
    def is_none(self) -> bool:
        """Whether the schema and its events agree."""
        return not (self.invalid or self.undeclared or self.unseen)


def drift(schema: Any, events: Iterable[Seen]) -> Drift:
    """Events of a type against a schema of it. Raises ValueError when the schema is none."""
    validator = compile_schema(schema)
    document = Document(schema)
    look = _Look(document)
    invalid: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    first: dict[str, str] = {}
    days: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    total = 0
    for event in events:
        total += 1
        look.at(document.root, event.data, "$", event.source, 0)
        breaches = explain(validator, event.data)
        day = days[event.occurred_at.date()]
        day[0] += 1
        if breaches:
            day[1] += 1
            invalid[event.source] += 1
            reasons[breaches[0]] += 1
            first.setdefault(breaches[0], event.event_id)
    return Drift(
        events=total,
        invalid=invalid.total(),
        undeclared=look.strays(look.undeclared),
        unseen=sorted(set(look.declared) - look.seen) if total else [],
        outside=look.strays(look.outside),
        days=[Day(day, n, bad) for day, (n, bad) in sorted(days.items())],
        senders=invalid.most_common(10),
        reasons=[(reason, count, first[reason]) for reason, count in reasons.most_common(10)],
    )


def discreet(report: Drift) -> Drift:
    """The report without values of events: for those who may not see personal data."""
    strays = [
        [msgspec.structs.replace(one, sample="•••") for one in some]
        for some in (report.undeclared, report.outside)
    ]
    reasons = [
        (f"{reason.split(': ', 1)[0]}: breaks the schema", n, event) for reason, n, event in report.reasons
    ]
    return msgspec.structs.replace(report, undeclared=strays[0], outside=strays[1], reasons=reasons)


class _Look:
    """What was met on the way through events."""

    def __init__(self, document: Document) -> None:
        self.document = document
        # By identity, with the node itself, so that the identity stays its own.
        self._known: dict[int, tuple[Node, list[Node]]] = {}
        self._joined: dict[tuple[int, ...], Node] = {}
        self.declared: set[str] = set()
        self.seen: set[str] = set()
        self.undeclared: dict[str, list[Any]] = {}
        self.outside: dict[str, list[Any]] = {}
        self._declare(document.root, "$", 0, frozenset())

    def strays(self, found: dict[str, list[Any]]) -> list[Stray]:
        """The most frequent first."""
        made = [Stray(path, n, sorted(senders), sample) for path, (n, senders, sample) in found.items()]
        return sorted(made, key=lambda stray: (-stray.count, stray.path))

    def _parts(self, node: Node) -> list[Node]:
        """A node with its alternatives: what any of them names is named."""
        if (known := self._known.get(id(node))) is not None:
            return known[1]
        found: list[Node] = []
        for part in conjuncts(node, self.document):
            found.append(part)
            for keyword in ("anyOf", "oneOf"):
                for case in part.get(keyword, ()):
                    found += self._parts(case)
        self._known[id(node)] = (node, found)
        return found

    def _either(self, nodes: list[Node]) -> Node:
        """What fits any of the nodes."""
        if len(nodes) == 1:
            return nodes[0]
        return self._joined.setdefault(tuple(map(id, nodes)), {"anyOf": nodes})

    def _declare(self, node: Node, path: str, depth: int, within: frozenset[int]) -> None:
        if depth > MAX_DEPTH or id(node) in within:
            return
        within |= {id(node)}
        for part in self._parts(node):
            for name, inner in part.get("properties", {}).items():
                self.declared.add(f"{path}.{name}")
                self._declare(inner, f"{path}.{name}", depth + 1, within)
            for inner in (*part.get("prefixItems", ()), *([part["items"]] if "items" in part else ())):
                self._declare(inner, f"{path}[*]", depth + 1, within)

    def at(self, node: Node, data: Any, path: str, source: str, depth: int) -> None:
        """Note what is here and below."""
        if depth > MAX_DEPTH:
            return
        self.seen.add(path)
        parts = self._parts(node)
        if isinstance(data, dict):
            for name, value in data.items():
                inner = [schema_for(part, name) for part in parts if _names(part, name)]
                if not inner and any("properties" in part for part in parts):
                    _note(self.undeclared, f"{path}.{name}", source, value)
                elif inner:
                    self.at(
                        self._either(inner),
                        value,
                        f"{path}.{name}",
                        source,
                        depth + 1,
                    )
        elif isinstance(data, list):
            rest: Node = next((part["items"] for part in parts if "items" in part), {})
            for value in data:
                self.at(rest, value, f"{path}[*]", source, depth + 1)
        elif all("enum" in part or {"anyOf", "oneOf"} & part.keys() for part in parts):
            listed = [value for part in parts for value in part.get("enum", ())]
            if listed and not same(data, listed):
                _note(self.outside, path, source, data)


def _names(part: Node, name: str) -> bool:
    return name in part.get("properties", {}) or schema_for(part, name) not in (
        {},
        part.get("additionalProperties"),
    )


def _note(found: dict[str, list[Any]], path: str, source: str, sample: Any) -> None:
    entry = found.setdefault(path, [0, set(), sample])
    entry[0] += 1
    entry[1].add(source)
