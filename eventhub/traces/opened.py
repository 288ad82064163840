"""A trace that somebody reads. A long one is kept for a moment: its next rows cost no more than their drawing."""

import threading
import time
from collections import OrderedDict
from datetime import datetime

import msgspec
from django.db.models import Count

from dlq.models import DeadLetter
from eventhub.brokers.kinds import Kind
from eventhub.brokers.models import Source
from eventhub.events import queries
from eventhub.traces.flow.figures import usual_hops
from eventhub.traces.loading import MOST_EVENTS, Loaded, load_trace
from eventhub.traces.pace import slow_steps
from eventhub.traces.skew import corrections
from eventhub.traces.waterfall import WHOLE, Layout, layout_of

# How long a trace is kept, how many are, and how large their payloads may be together: each web process has its own.
KEPT_S = 60.0
MOST_KEPT = 4
MOST_KEPT_BYTES = 64_000_000

# What changes when something of a trace does: how many events it has, and how many letters in each state.
Mark = tuple[int, tuple[tuple[str, int], ...]]


class Opened(msgspec.Struct, frozen=True):
    """A trace with its layouts, and what it was when it was read."""

    loaded: Loaded
    mark: Mark
    at: float
    data_bytes: int
    # By whether the clocks are left as the producers had them.
    layouts: dict[bool, Layout]

    def layout(self, *, raw_clock: bool) -> Layout:
        """Where everything is drawn, on corrected clocks or as they were."""
        if raw_clock not in self.layouts:
            trace, usual = self.loaded.trace, usual_hops()
            shift = {} if raw_clock else corrections(trace)
            self.layouts[raw_clock] = layout_of(
                trace, slow_steps(trace, usual), shift, usual, _brokers_of(self.loaded)
            )
        return self.layouts[raw_clock]


_kept: OrderedDict[str, Opened] = OrderedDict()
_lock = threading.Lock()


def open_trace(correlation_id: str, now: datetime) -> Opened | None:
    """The trace as it stands; None when nothing is known under this id."""
    letters = _letters_of(correlation_id)
    loaded = load_trace(correlation_id, now)
    if loaded is None:
        return None
    mark = len(loaded.events), letters
    size = sum(event.data_bytes for event in loaded.events)
    opened = Opened(loaded, mark, time.monotonic(), size, {})
    if len(loaded.trace.steps) > WHOLE and size <= MOST_KEPT_BYTES:
        _keep(correlation_id, opened)
    return opened


def open_again(correlation_id: str, now: datetime) -> Opened | None:
    """The trace for a part of a page that is open: as it was read a moment ago, if nothing came since."""
    with _lock:
        kept = _kept.get(correlation_id)
    if kept and time.monotonic() - kept.at < KEPT_S and kept.mark == mark_of(correlation_id):
        return kept
    return open_trace(correlation_id, now)


def mark_of(correlation_id: str) -> Mark:
    """Told by two indexes on the correlation id, without reading an event."""
    return queries.count_of_correlation(correlation_id, MOST_EVENTS), _letters_of(correlation_id)


def _letters_of(correlation_id: str) -> tuple[tuple[str, int], ...]:
    # A letter that knows only its event's id does not count here; it is seen when the trace is read again.
    letters = (
        DeadLetter.objects.filter(correlation_id=correlation_id).order_by("status").values_list("status")
    )
    return tuple((status, number) for status, number in letters.annotate(Count("id")))


def _keep(correlation_id: str, opened: Opened) -> None:
    with _lock:
        for name in [name for name, one in _kept.items() if opened.at - one.at > KEPT_S]:
            del _kept[name]
        _kept.pop(correlation_id, None)
        _kept[correlation_id] = opened
        while len(_kept) > MOST_KEPT or sum(one.data_bytes for one in _kept.values()) > MOST_KEPT_BYTES:
            _kept.popitem(last=False)


# A source stays of its kind, so what was learned once holds.
_brokers: dict[int, Kind] = {}


def _brokers_of(loaded: Loaded) -> dict[int, Kind]:
    """What kind of broker each source reads from; asked for only when one of the trace is not known."""
    origins = {event.origin_id for event in loaded.events if event.origin_id is not None}
    if not origins <= _brokers.keys():
        _brokers.update((number, Kind(kind)) for number, kind in Source.objects.values_list("id", "kind"))
    return _brokers
