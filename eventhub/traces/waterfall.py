"""A trace as drawn: rows with places on the time axis in percent, for the page's SVG and the list's small one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from eventhub.events.receipts import Receipt
from eventhub.traces.assemble import Letter, Step, Trace, last_attempts
from eventhub.traces.scale import Scale, Stretch, Tick, scale_of

# Deeper ones are not moved further to the right.
DEEPEST = 8
# A bar is never narrower, in percent, so that it can be seen and pressed.
THINNEST = 0.35
# Rows drawn at once; the page asks for the next ones.
ROWS = 400


class Slowness(msgspec.Struct, frozen=True):
    """A hop or a delivery that took much longer than such ones do."""

    factor: float
    usual_s: float

    @property
    def words(self) -> str:
        """What a person reads beside the bar: ×6 of p95."""
        return f"×{self.factor:,.0f} of p95"


class DeliveryBar(msgspec.Struct, frozen=True):
    """One attempt of a service to process the event, drawn on the event's row."""

    delivery: Receipt
    left: float
    width: float
    # "ok", "broken", or "busy" for an attempt that was followed by another.
    kind: str


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
    # On the right half: its text stands left of the point.
    text_left: bool
    # Moves the text away from what else is drawn at the point, in percent.
    text_at: float


class Waterfall(msgspec.Struct, frozen=True):
    """What the page draws."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    folds: tuple[Stretch, ...]
    total_rows: int
    next_row: int | None


def waterfall(trace: Trace, slow: Mapping[int, Slowness] | None = None, first: int = 0) -> Waterfall:
    """The rows from `first` on, at most `ROWS`. `slow` maps steps (by index) to how slow they were."""
    scale = scale_of(_moments(trace))
    rows = tuple(
        _row(step, trace, scale, (slow or {}).get(step.index)) for step in trace.steps[first : first + ROWS]
    )
    following = first + ROWS
    return Waterfall(
        rows=rows,
        ticks=scale.ticks,
        folds=tuple(scale.folds),
        total_rows=len(trace.steps),
        next_row=following if following < len(trace.steps) else None,
    )


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
    scale = scale_of(_moments(trace))
    lanes = {service: number for number, service in enumerate(trace.services[:LANES])}
    height = 100 / max(3, min(LANES, len(trace.services)))
    marks = []
    for step in trace.steps[:MOST_MARKS]:
        left, width, _ = _span(step, trace, scale)
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


def _moments(trace: Trace) -> Sequence[datetime]:
    found = [step.at for step in trace.steps]
    for step in trace.steps:
        for delivery in step.deliveries:
            found += _delivered(delivery)
        found += [letter.failed_at for letter in step.letters]
    return found


def _delivered(delivery: Receipt) -> tuple[datetime, datetime]:
    return delivery.at - timedelta(seconds=delivery.duration_s or 0.0), delivery.at


def _span(step: Step, trace: Trace, scale: Scale) -> tuple[float, float, float]:
    """Left and width of the bar and the event's own place, in percent."""
    point = scale.place(step.at) * 100
    left = point
    if step.cause is not None:
        left = min(point, scale.place(trace.steps[step.cause].at) * 100)
    return left, max(point - left, THINNEST), point


def _row(step: Step, trace: Trace, scale: Scale, slow: Slowness | None) -> Row:
    left, width, point = _span(step, trace, scale)
    left = min(left, 100 - THINNEST)
    outcomes = last_attempts(step.deliveries)
    bars = tuple(_bar(delivery, delivery in outcomes, scale) for delivery in step.deliveries)
    letters = tuple((letter, _2(scale.place(letter.failed_at) * 100)) for letter in step.letters)
    furthest = max([point, *(bar.left + bar.width for bar in bars), *(place for _, place in letters)])
    text_left = furthest > 62
    return Row(
        step=step,
        left=_2(left),
        width=_2(width),
        point=_2(point),
        indent=min(step.depth, DEEPEST),
        bars=bars,
        outcomes=tuple(outcomes),
        letters=letters,
        slow=slow,
        text_left=text_left,
        text_at=_2(left if text_left else furthest),
    )


def _bar(delivery: Receipt, is_last: bool, scale: Scale) -> DeliveryBar:
    start, end = _delivered(delivery)
    left, right = scale.place(start) * 100, scale.place(end) * 100
    left = min(left, 100 - THINNEST)
    kind = "ok" if delivery.succeeded else "broken" if is_last and not delivery.will_retry else "busy"
    return DeliveryBar(delivery, _2(left), _2(max(right - left, THINNEST)), kind)


def _2(value: float) -> float:
    return round(value, 2)
