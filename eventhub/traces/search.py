"""Finding traces by words: recent ones first, bounded in work, and honest about how far it looked."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from eventhub.events import queries, receipts
from eventhub.events.queries import StoredEvent
from eventhub.events.showing import Show
from eventhub.schemas.models import EventType
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.sealing import opened
from eventhub.traces.assemble import State, Trace
from eventhub.traces.kept_walks import AttributeWalk, SlowWalk, slow_among
from eventhub.traces.loading import Loaded, load_single, load_traces
from eventhub.traces.outcome import is_bad_news
from eventhub.traces.query import Absence, TraceQuery
from eventhub.traces.story import Story, story_of
from eventhub.traces.walks import END, Key, LogWalk, TroubleWalk, TypeWalk, Walk, Wanted

# One search looks at no more events, and stops at the next piece after this time.
MOST_SCANNED = 300_000
LONGEST_S = 1.5
# With something to show already, the rest can wait until it is asked for.
LONG_ENOUGH_S = 0.6
# Types that a search by time of occurrence merges; more there are only where types are generated.
MOST_TYPES = 400


class Found(msgspec.Struct, frozen=True):
    """One hit. For an event without correlation the trace's id is the event's own."""

    trace: Trace
    story: Story
    key: Key
    event_id: str = ""


class Hits(msgspec.Struct, frozen=True):
    """A page of hits. `next_key` is None at the end of the past."""

    found: list[Found]
    next_key: Key | None
    # How many events were looked at, and how far back.
    scanned: int
    reached_at: datetime | None
    # It stopped for the amount of work, not because the page was full.
    gave_up: bool


def search(
    query: TraceQuery,
    *,
    now: datetime,
    limit: int,
    before: Key | None = None,
    newer_than: Key | None = None,
    blind: Show | None = None,
) -> Hits:
    """The latest traces that match, below `before`, or only those above `newer_than`.

    `blind`: events are looked into as this shows them, so that words find nothing that whoever asks may not see.
    """
    walk = _walk(query)
    if walk is None:
        return Hits([], None, 0, None, False)
    return _Search(query, walk, now, limit, before, newer_than, blind).run()


def direct_hit(text: str) -> tuple[str | None, str | None] | None:
    """(correlation id, event id) when the text is exactly one of the two, else None."""
    text = text.strip().replace("\x00", "")
    if not text or len(text) > 500:
        return None
    events = queries.events_by_id(text, limit=1)
    if events:
        return events[0].correlation_id, events[0].event_id
    return (text, None) if queries.events_by_correlation(text, limit=1) else None


class _Search:
    """One search on its way back."""

    def __init__(
        self,
        query: TraceQuery,
        walk: Walk,
        now: datetime,
        limit: int,
        before: Key | None,
        newer_than: Key | None,
        blind: Show | None = None,
    ) -> None:
        self.query, self.walk, self.now, self.limit = query, walk, now, limit
        self.start, self.newer_than, self.blind = before, newer_than, blind
        self.found: list[Found] = []
        self.seen: set[str] = set()
        self.scanned = 0
        self.reached_at: datetime | None = None
        self.began = time.monotonic()

    def run(self) -> Hits:
        """Walks back piece by piece until the page is full, the past ends or the work is enough."""
        here, size = self.start or END, max(200, 10 * self.limit)
        if isinstance(self.walk, TroubleWalk):
            # An event that tells of trouble is nearly always one of a trace that is looked for.
            size = max(50, 2 * self.limit)
        while True:
            piece = self.walk.before(here, size)
            news = [
                candidate for candidate in piece if not self.newer_than or candidate.key > self.newer_than
            ]
            ended = len(piece) < size or len(news) < len(piece)
            ids: dict[str, Key] = {}
            for candidate in news:
                name = candidate.event_id if self.query.uncorrelated else candidate.correlation_id
                if candidate.wanted and name is not None and name not in self.seen:
                    ids.setdefault(name, candidate.key)
            self.scanned += len(news)
            names = list(ids)
            first = 0
            while first < len(names):
                # As many as are missing, when most of them match; whole handfuls when few do.
                some = names[first : first + (40 if first else min(40, self.limit - len(self.found) + 2))]
                for found in self._load(some, ids):
                    if len(self.found) == self.limit:
                        return self._hits(self.found[-1].key, gave_up=False)
                    self.found.append(found)
                first += len(some)
                if self._took_long() and first < len(names):
                    last = ids[some[-1]]
                    self.reached_at = next(candidate.at for candidate in news if candidate.key == last)
                    return self._hits(last, gave_up=True)
            if news:
                here = news[-1].key
                self.reached_at = news[-1].at
            if ended:
                return self._hits(None, gave_up=False)
            if self.scanned >= MOST_SCANNED or self._took_long():
                return self._hits(here, gave_up=True)
            size = min(size * 2, 20_000)

    def _took_long(self) -> bool:
        return time.monotonic() - self.began > (LONG_ENOUGH_S if self.found else LONGEST_S)

    def _hits(self, next_key: Key | None, *, gave_up: bool) -> Hits:
        return Hits(self.found, next_key, self.scanned, self.reached_at, gave_up)

    def _load(self, names: list[str], keys: dict[str, Key]) -> Iterable[Found]:
        """Those of `names` that match and have their place in this page."""
        self.seen.update(names)
        if self.query.slow and not isinstance(self.walk, SlowWalk):
            slow = slow_among(names)
            names = [name for name in names if name in slow]
        for name, loaded in self._loaded(names).items():
            trace = loaded.trace
            if self._shown_before(name, loaded) or not matches(self.query, loaded, self.now, self.blind):
                continue
            event_id = name if self.query.uncorrelated else ""
            yield Found(trace, story_of(trace), keys[name], event_id)

    def _loaded(self, names: list[str]) -> dict[str, Loaded]:
        if not self.query.uncorrelated:
            return load_traces(names, self.now)
        events = {event.event_id: event for event in queries.events_by_ids(names)}
        return {name: load_single(events[name], self.now) for name in names if name in events}

    def _shown_before(self, name: str, loaded: Loaded) -> bool:
        """Whether its place is on an earlier page, or has moved up since."""
        if self.start is None or self.query.uncorrelated:
            return False
        if loaded.trace.truncated:
            return self.walk.passed(name, self.start)
        key = self.walk.key_of(loaded.trace, loaded.events)
        return key != END and key >= self.start


def matches(query: TraceQuery, loaded: Loaded, now: datetime, blind: Show | None = None) -> bool:
    """Whether the whole trace is what is looked for; searchable attributes and slow hops are the walk's to check."""
    trace = loaded.trace
    if not _has_types(query, loaded) or not set(query.services).issubset(trace.services):
        return False
    if query.absence and not lacks(query.absence, loaded.events, now):
        return False
    if query.state == "trouble":
        if trace.state not in (State.DEAD, State.FAILED):
            return False
    elif query.state and trace.state != query.state:
        return False
    if query.service and query.service not in trace.services:
        return False
    if query.event_type and not any(event.event_type == query.event_type for event in loaded.events):
        return False
    if query.min_s is not None and trace.duration_s < query.min_s:
        return False
    if query.max_s is not None and trace.duration_s > query.max_s:
        return False
    return not query.words or _holds(query.words, loaded, blind)


def lacks(absence: Absence, events: Iterable[StoredEvent], now: datetime) -> bool:
    """Whether an event of the one type was not followed by one of the other in time, and the time is over."""
    within = timedelta(seconds=absence.within_s)
    of = {
        name: [e.occurred_at for e in events if e.event_type == name]
        for name in (absence.present, absence.absent)
    }
    return any(
        at + within < now and not any(at <= answer <= at + within for answer in of[absence.absent])
        for at in of[absence.present]
    )


def _has_types(query: TraceQuery, loaded: Loaded) -> bool:
    if not query.types and not query.without_types:
        return True
    types = {event.event_type for event in loaded.events}
    return types.issuperset(query.types) and types.isdisjoint(query.without_types)


def _holds(words: tuple[str, ...], loaded: Loaded, blind: Show | None) -> bool:
    missing = set(words)
    for text in _texts(loaded, blind):
        lowered = text.lower()
        missing = {word for word in missing if word not in lowered}
        if not missing:
            return True
    # Of what was not loaded (large payloads, very long traces) PostgreSQL has checked the first word.
    partly = loaded.trace.truncated or any(event.data is None for event in loaded.events)
    if partly and blind and any(fields.marked(event.event_type) for event in loaded.events):
        return False  # PostgreSQL looks behind masks
    return partly and missing <= {_most_telling(words)}


def _texts(loaded: Loaded, blind: Show | None) -> Iterable[str]:
    yield loaded.trace.correlation_id
    for event in loaded.events:
        data = (blind or opened)(event).data
        yield " ".join(filter(None, (event.event_id, event.event_type, event.source, event.stream, data)))
    for letter in loaded.trace.letters:
        yield f"{letter.event_type or ''} {letter.failed_in} {letter.error_class} {letter.error_message}"


def _walk(query: TraceQuery) -> Walk | None:
    """The way back along which the fewest events have to be passed."""
    if query.attributes:
        return AttributeWalk(query.attributes, query.start, query.end)
    if query.slow:
        return SlowWalk(query.start, query.end)
    wanted = Wanted(
        word=_most_telling(query.words),
        service="" if query.event_type else query.service,
        uncorrelated=query.uncorrelated,
    )
    if query.absence:
        return TypeWalk([query.absence.present], Wanted(absence=query.absence), query.start, query.end)
    event_type = query.event_type or next(iter(query.types), "")
    by_trouble = query.state in ("trouble", "dead", "failed") and not query.uncorrelated
    bad = [*(name for name in _type_names() if is_bad_news(name)), receipts.FAILED] if by_trouble else []
    if by_trouble and not (event_type and queries.fewer_of([event_type], bad, query.start, query.end)):
        return TroubleWalk(bad, _anywhere(wanted), query.start, query.end)
    if event_type:
        return TypeWalk([event_type], _anywhere(wanted), query.start, query.end)
    if query.start or query.end:
        names = _type_names()
        return TypeWalk(names, wanted, query.start, query.end) if names else None
    return LogWalk(wanted)


def _anywhere(wanted: Wanted) -> Wanted:
    """Words and service may be on other events of the trace than those that this walk passes."""
    return wanted if wanted.uncorrelated else Wanted()


def _type_names() -> list[str]:
    names = EventType.objects.exclude(name__startswith="eventhub.").order_by("-last_seen_at")
    return list(names.values_list("name", flat=True)[:MOST_TYPES])


def _most_telling(words: tuple[str, ...]) -> str:
    """The longest word is on the fewest events."""
    return max(words, key=len, default="")
