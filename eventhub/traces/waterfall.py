"""A trace as drawn: rows with places on the time axis in percent, for the page's SVG and the list's small one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.events.receipts import Receipt
from eventhub.pages.formats import duration
from eventhub.traces.assemble import Letter, Step, Trace, last_attempts
from eventhub.traces.flow.figures import Usual
from eventhub.traces.scale import Scale, Stretch, Tick, scale_of
from eventhub.traces.skew import drawn_at

# Deeper ones are not moved further to the right.
DEEPEST = 8
# A bar is never narrower, in percent, so that it can be seen and pressed.
THINNEST = 0.35
# Lanes for the deliveries of one event; more lie over each other in the last.
LANES_IN_ROW = 3
# What the text beside a bar needs, in percent.
ROOM = 24.0
# A trace of more rows than this is windowed: the page holds those around what is in view, and asks for others by the
# chunk.
WHOLE = 160
CHUNK = 40


class Slowness(msgspec.Struct, frozen=True):
    """A hop or a delivery that took much longer than such ones do."""

    factor: float
    usual_s: float
    # What `usual_s` is: "p95" or "p50".
    of: str = "p95"

    @property
    def words(self) -> str:
        """What a person reads beside the bar: ×6 of p95."""
        return f"×{self.factor:,.0f} of {self.of}"


class DeliveryBar(msgspec.Struct, frozen=True):
    """One attempt of a service to process the event, drawn on the event's row."""

    delivery: Receipt
    left: float
    width: float
    # "ok", "broken", or "busy" for an attempt that was followed by another.
    kind: str
    # Down the row, in pixels: those that overlap lie below one another.
    top: int


class Row(msgspec.Struct, frozen=True):
    """One event's row: its bar from its cause to itself, its deliveries and dead letters."""

    step: Step
    left: float
    width: float
    # Where the event itself is.
    point: float
    indent: int
    bars: tuple[DeliveryBar, ...]
    # The last attempt of each service.
    outcomes: tuple[Receipt, ...]
    letters: tuple[tuple[Letter, float], ...]
    slow: Slowness | None
    # How many lanes of deliveries it has, 1…3.
    lanes: int
    # Where the text stands: "right" of the bar, "left" of it, or "inside".
    text_side: str
    text_at: float
    # How long such hops usually take, in words; empty where nobody knows.
    usual: str
    # Its place among all rows, from 1.
    number: int
    # The kind of broker that EventHub read it from.
    broker: Kind | None

    @property
    def glyph(self) -> str:
        """The icon of its broker."""
        return GLYPHS[self.broker] if self.broker else ""


class Layout(msgspec.Struct, frozen=True):
    """Where everything of a trace is drawn: worked out once for all its rows."""

    trace: Trace
    scale: Scale
    # Services to by how many seconds they are drawn later.
    shift: Mapping[str, float]
    # Steps (by index) to how slow they were.
    slow: Mapping[int, Slowness]
    # Hops between two event types to how long they usually take.
    usual: Mapping[tuple[str, str], Usual]
    # Numbers of sources to the kind of their broker.
    brokers: Mapping[int, Kind]


class Waterfall(msgspec.Struct, frozen=True):
    """What the page draws: some of the rows, or all."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    folds: tuple[Stretch, ...]
    total_rows: int
    # The place of the first row drawn, from 0.
    first: int
    next_row: int | None
    # The log's position of the newest event: what comes later is new to who reads this.
    newest: int

    @property
    def is_windowed(self) -> bool:
        """Whether the page asks for rows as they come into view."""
        return self.total_rows > WHOLE

    @property
    def chunk(self) -> int:
        """How many rows it asks for at a time."""
        return CHUNK


def layout_of(
    trace: Trace,
    slow: Mapping[int, Slowness] | None = None,
    shift: Mapping[str, float] | None = None,
    usual: Mapping[tuple[str, str], Usual] | None = None,
    brokers: Mapping[int, Kind] | None = None,
) -> Layout:
    """Work out the layout; what is not known is left out of the picture."""
    shift = shift or {}
    return Layout(trace, scale_of(_moments(trace, shift)), shift, slow or {}, usual or {}, brokers or {})


def waterfall(
    layout: Layout, first: int = 0, most: int = WHOLE, among: Sequence[int] | None = None
) -> Waterfall:
    """At most `most` rows from `first` on; `among` names the steps (by index) that are rows, else all are."""
    steps = layout.trace.steps
    shown: Sequence[int] = range(len(steps)) if among is None else among
    following = first + most
    return Waterfall(
        rows=tuple(
            _row(steps[index], layout, number)
            for number, index in enumerate(shown[first:following], first + 1)
        ),
        ticks=layout.scale.ticks,
        folds=tuple(layout.scale.folds),
        total_rows=len(shown),
        first=first,
        next_row=following if following < len(shown) else None,
        newest=max((step.event.position for step in steps if step.event), default=0),
    )


def _usually(step: Step, layout: Layout) -> str:
    cause = layout.trace.steps[step.cause].event_type if step.cause is not None else ""
    known = layout.usual.get((cause, step.event_type))
    return f"usually {duration(known.p50_s)} (p50), {duration(known.p95_s)} (p95)" if known else ""


class Mark(msgspec.Struct, frozen=True):
    """A bar of the small waterfall: in percent across, `lane` down."""

    event_type: str
    left: float
    width: float
    top: float
    height: float
    failed: bool


# The small waterfall's lanes and marks; what is more is not drawn.
LANES = 6
MOST_MARKS = 60


def miniature(trace: Trace) -> tuple[Mark, ...]:
    """The trace as small bars in a lane a service; all numbers in percent of the picture."""
    scale = scale_of(_moments(trace, {}))
    lanes = {service: number for number, service in enumerate(trace.services[:LANES])}
    height = 100 / max(3, min(LANES, len(trace.services)))
    marks = []
    for step in trace.steps[:MOST_MARKS]:
        left, width, _ = _span(step, trace, scale, {})
        left = min(left, 98.0)
        lane = lanes.get(step.service or "", LANES - 1 if trace.services else 0)
        top = min(lane * height, 100 - height)
        marks.append(
            Mark(
                step.event_type,
                _2(left),
                _2(max(width, 2.0)),
                _2(top + height * 0.15),
                _2(height * 0.7),
                step.failed,
            )
        )
    return tuple(marks)


def _moments(trace: Trace, shift: Mapping[str, float]) -> Sequence[datetime]:
    found = [drawn_at(step, shift) for step in trace.steps]
    for step in trace.steps:
        for delivery in step.deliveries:
            found += _delivered(delivery)
        found += [letter.failed_at for letter in step.letters]
    return found


def _delivered(delivery: Receipt) -> tuple[datetime, datetime]:
    return delivery.at - timedelta(seconds=delivery.duration_s or 0.0), delivery.at


def _span(step: Step, trace: Trace, scale: Scale, shift: Mapping[str, float]) -> tuple[float, float, float]:
    """Left and width of the bar and the event's own place, in percent."""
    point = scale.place(drawn_at(step, shift)) * 100
    left = point
    if step.cause is not None:
        left = min(point, scale.place(drawn_at(trace.steps[step.cause], shift)) * 100)
    return left, max(point - left, THINNEST), point


def _row(step: Step, layout: Layout, number: int) -> Row:
    scale = layout.scale
    left, width, point = _span(step, layout.trace, scale, layout.shift)
    left = min(left, 100 - THINNEST)
    outcomes = last_attempts(step.deliveries)
    bars, lanes = _bars(step.deliveries, outcomes, scale)
    letters = tuple((letter, _2(scale.place(letter.failed_at) * 100)) for letter in step.letters)
    crossed = any(point < place < point + ROOM for _, place in letters)
    text_side = "right" if point < 100 - ROOM and not crossed else "left" if left > ROOM else "inside"
    origin = step.event.origin_id if step.event else None
    return Row(
        step=step,
        left=_2(left),
        width=_2(width),
        point=_2(point),
        indent=min(step.depth, DEEPEST),
        bars=bars,
        outcomes=tuple(outcomes),
        letters=letters,
        slow=layout.slow.get(step.index),
        lanes=lanes,
        text_side=text_side,
        text_at=_2(left if text_side == "left" else point),
        usual=_usually(step, layout),
        number=number,
        broker=layout.brokers.get(origin) if origin is not None else None,
    )


def _bars(
    deliveries: Sequence[Receipt], outcomes: Sequence[Receipt], scale: Scale
) -> tuple[tuple[DeliveryBar, ...], int]:
    """The bars, each in the first lane that is free at its time, and how many lanes there are."""
    ends = [-1.0] * LANES_IN_ROW
    bars: list[DeliveryBar] = []
    used = 1
    for delivery in sorted(deliveries, key=lambda one: _delivered(one)[0]):
        start, end = _delivered(delivery)
        left = min(scale.place(start) * 100, 100 - THINNEST)
        width = max(scale.place(end) * 100 - left, THINNEST)
        lane = next((lane for lane, until in enumerate(ends) if until <= left), LANES_IN_ROW - 1)
        ends[lane] = left + width
        used = max(used, lane + 1)
        given_up = delivery in outcomes and not delivery.will_retry
        kind = "ok" if delivery.succeeded else "broken" if given_up else "busy"
        bars.append(DeliveryBar(delivery, _2(left), _2(width), kind, 25 + 6 * lane))
    return tuple(bars), used


def _2(value: float) -> float:
    return round(value, 2)
