"""Fields that every event of a type and version had, and that none has any more.

A field that comes and goes is optional. One that was in all events of a piece of the log, piece after piece, and then
in none is gone: what tells them apart is that nothing lacked it before, and nothing has it since.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from monitoring.review.facts import WINDOW, Counted, Fact, Facts
from monitoring.review.piece import Piece, select
from monitoring.review.shapes import FieldSeen, sampled

# Pieces in which all sampled events of the type had the field, some had it, none had it; the detail is "version name".
ALL, SOME, NONE = "version.field_in_all", "version.field_in_some", "version.field_in_none"
# So many events had it, and so many since have not.
LEAST_BEFORE, LEAST_SINCE = 10, 10
# In the piece in which it vanishes some have it and some do not.
MOST_MIXED_SHARE = 0.2


class Gone(msgspec.Struct, frozen=True):
    """A field that has vanished: when it was last there, and events with and without it."""

    service: str
    event_type: str
    version: str
    name: str
    had: Fact
    lacks: Fact


def presence(piece: Piece, seen: Sequence[FieldSeen]) -> Iterable[Counted]:
    """Which fields all, some or none of the piece's sampled events have; `seen` are its fields.

    None is counted only of fields that earlier pieces had.
    """
    having: Counter[tuple[str, str, str, str]] = Counter()
    samples: dict[tuple[str, str, str, str], str] = {}
    for field in seen:
        key = (field.service, field.event_type, field.version, field.name)
        having[key] += field.n
        samples[key] = field.sample
    looked = {(one.service, one.event_type, one.version): one for one in sampled(piece)}
    for (service, event_type, version, name), n in having.items():
        of = looked[service, event_type, version]
        detail, shown = f"{version} {name}", [samples[service, event_type, version, name]]
        yield Counted(ALL if n >= of.n else SOME, n, service, event_type, detail, shown)
    for service, event_type, detail in _known(piece, {one.event_type for one in looked.values()}):
        version, name = detail.split(" ", 1)
        one = looked.get((service, event_type, version))
        if one is not None and (service, event_type, version, name) not in having:
            yield Counted(NONE, one.n, service, event_type, detail, [one.sample])


def _known(piece: Piece, event_types: Iterable[str]) -> list[tuple[str, str, str]]:
    rows = select(  # review_count_once (hour, measure, …), an hour at a time
        """SELECT DISTINCT service, event_type, detail FROM review_count
           WHERE hour > %s AND measure = %s AND event_type = ANY(%s)""",
        piece.until - WINDOW - timedelta(hours=1),
        ALL,
        sorted(event_types),
    )
    return [(service, event_type, detail) for service, event_type, detail in rows]


def gone(facts: Facts) -> Iterable[Gone]:
    """The fields that have vanished within the window."""
    by: dict[str, dict[tuple[str, str, str], Fact]] = defaultdict(dict)
    for measure in (ALL, SOME, NONE):
        for fact in facts.of(measure):
            by[measure][fact.service, fact.event_type, fact.detail] = fact
    for key, lacks in by[NONE].items():
        had, mixed = by[ALL].get(key), by[SOME].get(key)
        if had is None or had.n < LEAST_BEFORE or lacks.n < LEAST_SINCE:
            continue
        last_at = max(had.last_at, mixed.last_at) if mixed else had.last_at
        if (mixed is None or mixed.n <= MOST_MIXED_SHARE * had.n) and lacks.first_at > last_at:
            service, event_type, detail = key
            version, name = detail.split(" ", 1)
            yield Gone(service, event_type, version, name, had, lacks)
