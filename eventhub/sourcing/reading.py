"""Reading streams and categories, upcast to what the code of today expects."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from eventhub.events.queries import LogKey, StoredEvent, whole_events
from eventhub.schemas.upcasting.code import upcast
from eventhub.sourcing.models import Stream

# Rows fetched at once, so that a long stream takes no more memory than a short one.
PAGE = 1_000
OWN = "stream IS NOT NULL AND origin_id IS NULL"


class Head(msgspec.Struct, frozen=True):
    """Where a stream stands. A stream that was never appended to stands at version 0."""

    name: str
    version: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever appended to it."""
        return self.version > 0


def head(stream: str) -> Head:
    """Where `stream` stands now."""
    found = Stream.objects.filter(name=stream, version__gt=0).first()
    if found is None:
        return Head(stream)
    return Head(stream, found.version, found.first_at, found.last_at, found.began_at, found.ended_at)


def read(
    stream: str, *, after: int = 0, until: int | None = None, limit: int | None = None
) -> Iterator[StoredEvent]:
    """The events of `stream` behind version `after` up to version `until`, the oldest first."""
    at = head(stream)
    last = at.version if until is None else min(until, at.version)
    while after < last and (limit is None or limit > 0):
        page = _page(at, f"> {after:d} AND stream_version <= {last:d}", "ASC", limit)
        yield from page
        if not page:
            return
        after = page[-1].stream_version or last
        limit = None if limit is None else limit - len(page)


def read_backwards(
    stream: str, *, before: int | None = None, limit: int | None = None
) -> Iterator[StoredEvent]:
    """The events of `stream` below version `before` (None: from its end), the newest first."""
    at = head(stream)
    below = at.version + 1 if before is None else before
    while below > 1 and (limit is None or limit > 0):
        page = _page(at, f"< {below:d}", "DESC", limit)
        yield from page
        if not page:
            return
        below = page[-1].stream_version or 0
        limit = None if limit is None else limit - len(page)


def read_category(category: str, *, after: LogKey | None = None, limit: int = PAGE) -> list[StoredEvent]:
    """The events of all streams of `category` behind a place in the log, in log order, settled ones only.

    Go on from the `key` of the last one: whatever commits late, none is missed.
    """
    key = after or LogKey(0, 0)
    # Index events_event_category.
    found = whole_events(
        f"WHERE split_part(stream, '-', 1) = %s AND {OWN} AND (txid, position) > (%s::xid8, %s)"
        " AND txid < pg_snapshot_xmin(pg_current_snapshot())"
        " ORDER BY events_event.txid, position LIMIT %s",
        [category, str(key.txid), key.position, limit],
    )
    return [upcast(event) for event in found]


def first_kept(stream: str) -> int:
    """The version that the stream begins with now: more than 1 where retention dropped what was before; 0 for none."""
    found = next(read(stream, limit=1), None)
    return (found.stream_version or 0) if found else 0


def _page(at: Head, versions: str, order: str, limit: int | None) -> list[StoredEvent]:
    # Index events_event_stream. The times let PostgreSQL skip the days on which nothing was appended to it.
    found = whole_events(
        f"WHERE stream = %s AND {OWN} AND stream_version {versions} AND occurred_at BETWEEN %s AND %s"
        f" ORDER BY stream_version {order} LIMIT %s",
        [at.name, at.first_at, at.last_at, min(PAGE, limit or PAGE)],
    )
    return [upcast(event) for event in found]
