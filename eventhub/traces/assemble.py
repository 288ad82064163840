"""From events to a trace: what caused what, who handled it, what died of it, and how it stands.

Pure: events, their receipts and dead letters go in, a Trace comes out. Nothing is believed that producers often get
wrong: causes may be unknown, circular or later than their effects, ids may come twice, events in any order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from eventhub.events import receipts
from eventhub.events.envelope import Event
from eventhub.events.queries import StoredEvent
from eventhub.events.receipts import Receipt
from eventhub.pages.formats import short_id
from eventhub.traces import causality
from eventhub.traces.outcome import is_bad_news

# A trace is still running while its last event was recorded less than this ago.
QUIET_AFTER_S = 5.0


class State(StrEnum):
    """How a trace stands, the worst first."""

    DEAD = "dead"
    FAILED = "failed"
    RUNNING = "running"
    OK = "ok"


class Letter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A dead letter as a trace shows it."""

    id: int
    # "open", "sent", "resolved" or "discarded".
    status: str
    # "undecodable", "invalid", "unstorable" or "service".
    reason: str
    event_id: str | None
    event_type: str | None
    causation_id: str | None
    # The service that published the event.
    source: str | None
    # The service that failed on it.
    failed_in: str
    error_class: str
    error_message: str
    attempts: int
    failed_at: datetime
    recorded_at: datetime

    @property
    def waits(self) -> bool:
        """Whether somebody has to decide about it."""
        return self.status == "open"


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event in its trace, or a message of which only the dead letter was kept (`event` is None)."""

    event: StoredEvent | None
    event_id: str
    event_type: str
    # The service that published it.
    service: str | None
    at: datetime
    # Its index in `Trace.steps`, its cause's, and how many causes it has above it there.
    index: int
    cause: int | None
    depth: int
    # Names a cause that this trace does not hold.
    orphan: bool
    # Its causes lead back to itself; the trace starts the circle here.
    circular: bool
    # It names no cause: `cause` is a guess from receipts, learned hops and order.
    inferred: bool = False
    # From its cause's time to its own; None without a known cause. Negative: the clocks disagree.
    hop_s: float | None
    deliveries: tuple[Receipt, ...]
    letters: tuple[Letter, ...]
    # How many events it caused directly, and in all.
    caused: int
    descends: int

    @property
    def failed_deliveries(self) -> tuple[Receipt, ...]:
        """The last attempts of services that did not succeed with it, and whose dead letter nobody took care of."""
        if not self.deliveries:
            return ()
        cared_for = {letter.failed_in for letter in self.letters if not letter.waits}
        return tuple(
            last
            for last in last_attempts(self.deliveries)
            if not last.succeeded and last.service not in cared_for
        )

    @property
    def failed(self) -> bool:
        """Whether it is bad news, died, or a service gave up on it."""
        return (
            is_bad_news(self.event_type)
            or any(letter.waits for letter in self.letters)
            or any(not delivery.will_retry for delivery in self.failed_deliveries)
        )


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that happened under one correlation id. `steps` is the tree, depth first, each event once."""

    correlation_id: str
    steps: tuple[Step, ...]
    services: tuple[str, ...]
    state: State
    started_at: datetime
    ended_at: datetime
    # When EventHub recorded the last of it.
    recorded_at: datetime
    # More events are stored than were read.
    truncated: bool

    @property
    def duration_s(self) -> float:
        """From the first event to the last event, delivery or failure."""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def short_id(self) -> str:
        """Its correlation id as a headline has room for it."""
        return short_id(self.correlation_id, 8)

    @property
    def letters(self) -> list[Letter]:
        """All its dead letters."""
        return [letter for step in self.steps for letter in step.letters]

    @property
    def roots(self) -> list[Step]:
        """The steps without a known cause."""
        return [step for step in self.steps if step.cause is None]

    def step_of(self, event_id: str) -> Step | None:
        """The (first) step with this event id."""
        return next((step for step in self.steps if step.event_id == event_id), None)


class Node:
    """A step while the tree is being found."""

    __slots__ = ("at", "cause", "cause_id", "children", "circular", "deliveries", "event", "event_id",
                 "event_type", "inferred", "letters", "place", "service")  # fmt: skip

    def __init__(
        self, event: StoredEvent | None, event_id: str, event_type: str, service: str | None, at: datetime,
        cause_id: str | None, place: int,
    ) -> None:  # fmt: skip
        self.event, self.event_id, self.event_type, self.service = event, event_id, event_type, service
        self.at, self.cause_id, self.place = at, cause_id, place
        self.cause: Node | None = None
        self.circular = False
        self.inferred = False
        self.children: list[Node] = []
        self.deliveries: list[Receipt] = []
        self.letters: list[Letter] = []

    @property
    def order(self) -> tuple[datetime, int]:
        """By time, then as stored."""
        return self.at, self.place


def assemble(
    correlation_id: str,
    events: Iterable[StoredEvent],
    letters: Iterable[Letter] = (),
    attempts: Iterable[Receipt] = (),
    *,
    now: datetime,
    truncated: bool = False,
    learned: Mapping[tuple[str, str], int] | None = None,
) -> Trace | None:
    """The trace of these events (receipts among them), dead letters and handlers' attempts; None of nothing.

    Handlers do not make it longer: they may be given an event again after weeks. With `learned` (how often one event
    type was seen to cause another) events that name no cause are given a guessed one, marked `inferred`.
    """
    of_handlers = set(attempts)
    nodes = _nodes(events, letters, of_handlers)
    if not nodes:
        return None
    _link(nodes)
    if learned is not None:
        causality.infer(nodes, learned)
    for node in nodes:
        if node.cause is not None:
            node.cause.children.append(node)
    steps = _steps(_in_tree_order(nodes))
    recorded = [node.event.recorded_at for node in nodes if node.event]
    ends = [step.at for step in steps]
    ends += [receipt.at for step in steps for receipt in step.deliveries if receipt not in of_handlers]
    recorded_at = max([*recorded, *(receipt.at for step in steps for receipt in step.deliveries)] or ends)
    return Trace(
        correlation_id=correlation_id,
        steps=steps,
        services=_services(steps),
        state=_state(steps, recorded_at, now),
        started_at=min(step.at for step in steps),
        ended_at=max([*ends, *(letter.failed_at for step in steps for letter in step.letters)]),
        recorded_at=recorded_at,
        truncated=truncated,
    )


def last_attempts(deliveries: Sequence[Receipt]) -> list[Receipt]:
    """The last attempt of each service, in the order in which the services first took it."""
    if len(deliveries) < 2:
        return list(deliveries)
    last: dict[str, Receipt] = {}
    for delivery in sorted(deliveries, key=lambda one: (one.at, one.attempt)):
        last[delivery.service] = delivery
    return list(last.values())


def receipt_of(event: StoredEvent) -> Receipt | None:
    """The receipt that a stored event is, else None."""
    if event.data is None or not event.event_type.startswith(receipts.PREFIX):
        return None
    return receipts.parse(
        Event(event.event_id, event.event_type, event.occurred_at, data=event.data, source=event.source)
    )


def _nodes(
    events: Iterable[StoredEvent], letters: Iterable[Letter], attempts: Iterable[Receipt]
) -> list[Node]:
    """A node an event; receipts and letters go to the event they are about, or are nodes where it is unknown."""
    nodes: list[Node] = []
    reports: list[tuple[StoredEvent, Receipt]] = []
    for event in events:
        if receipt := receipt_of(event):
            reports.append((event, receipt))
        else:
            nodes.append(_node_of(event))
    nodes.sort(key=lambda node: node.order)
    by_id: dict[str, Node] = {}
    for node in nodes:
        by_id.setdefault(node.event_id, node)
    for letter in letters:
        if not (holder := by_id.get(letter.event_id or "")):
            holder = Node(
                None, letter.event_id or f"dead letter {letter.id}", letter.event_type or "unreadable message",
                letter.source, letter.failed_at, letter.causation_id, -letter.id,
            )  # fmt: skip
            nodes.append(holder)
            by_id[holder.event_id] = holder
        holder.letters.append(letter)
    for event, receipt in reports:
        if found := by_id.get(receipt.event_id):
            found.deliveries.append(receipt)
        else:
            nodes.append(_node_of(event))
    for attempt in attempts:
        if found := by_id.get(attempt.event_id):
            found.deliveries.append(attempt)
    nodes.sort(key=lambda node: node.order)
    return nodes


def _node_of(event: StoredEvent) -> Node:
    return Node(
        event, event.event_id, event.event_type, event.source, event.occurred_at, event.causation_id,
        event.position,
    )  # fmt: skip


def _link(nodes: list[Node]) -> None:
    """Give each node its cause, and cut each circle at its earliest event."""
    by_id: dict[str, Node] = {}
    for node in nodes:
        by_id.setdefault(node.event_id, node)
    for node in nodes:
        node.cause = by_id.get(node.cause_id) if node.cause_id else None
    # 0: not looked at, 1: on the way up that is being followed, 2: known to lead to a root.
    seen: dict[int, int] = {}
    for start in nodes:
        way: list[Node] = []
        here: Node | None = start
        while here is not None and id(here) not in seen:
            seen[id(here)] = 1
            way.append(here)
            here = here.cause
        if here is not None and seen[id(here)] == 1:
            circle = way[way.index(here) :]
            first = min(circle, key=lambda member: member.order)
            first.cause, first.circular = None, True
        for passed in way:
            seen[id(passed)] = 2


def _in_tree_order(nodes: list[Node]) -> list[tuple[Node, int]]:
    """Nodes with their depth, causes before effects, siblings by time. No recursion: chains may be long."""
    ordered: list[tuple[Node, int]] = []
    pending = [(node, 0) for node in reversed(nodes) if node.cause is None]
    while pending:
        node, depth = pending.pop()
        ordered.append((node, depth))
        pending.extend((child, depth + 1) for child in reversed(node.children))
    return ordered


def _steps(ordered: list[tuple[Node, int]]) -> tuple[Step, ...]:
    index = {id(node): number for number, (node, _) in enumerate(ordered)}
    descends: dict[int, int] = defaultdict(int)
    for node, _ in reversed(ordered):
        if node.cause is not None:
            descends[id(node.cause)] += descends[id(node)] + 1
    return tuple(
        Step(
            event=node.event,
            event_id=node.event_id,
            event_type=node.event_type,
            service=node.service,
            at=node.at,
            index=number,
            cause=index[id(node.cause)] if node.cause else None,
            depth=depth,
            orphan=bool(node.cause_id) and node.cause is None and not node.circular,
            circular=node.circular,
            inferred=node.inferred,
            hop_s=(node.at - node.cause.at).total_seconds() if node.cause else None,
            deliveries=tuple(sorted(node.deliveries, key=lambda one: (one.at, one.attempt))),
            letters=tuple(sorted(node.letters, key=lambda one: one.id)),
            caused=len(node.children),
            descends=descends[id(node)],
        )
        for number, (node, depth) in enumerate(ordered)
    )


def _services(steps: Iterable[Step]) -> tuple[str, ...]:
    """Publishers first, then who only handled or failed, each in the order of first appearance."""
    found: dict[str, None] = {}
    handled: dict[str, None] = {}
    for step in steps:
        if step.service:
            found.setdefault(step.service)
        for delivery in step.deliveries:
            handled.setdefault(delivery.service)
        for letter in step.letters:
            handled.setdefault(letter.failed_in)
    return tuple(service for service in {**found, **handled} if service)


def _state(steps: Iterable[Step], recorded_at: datetime, now: datetime) -> State:
    running = now - recorded_at < timedelta(seconds=QUIET_AFTER_S)
    failed = False
    for step in steps:
        for letter in step.letters:
            if letter.waits:
                return State.DEAD
            running = running or letter.status == "sent"
        if step.failed:
            failed = True
        elif step.failed_deliveries:
            running = True  # a service means to try again
    return State.FAILED if failed else State.RUNNING if running else State.OK
