"""Learning the flow from the log: which event caused which, who published and who processed it, and how long it took.

One reader follows the log in its order, behind ingest and never in its way, so that no late commit is missed and no
page ever scans events to draw a map. It adds to rows of seconds, minutes and hours, counts what came from no source
(`appended`), and marks the traces it met, for `eventhub.traces.processes.watching` to look at.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction

from eventhub.events import receipts
from eventhub.traces.flow import appended
from eventhub.traces.flow.appended import Appended
from eventhub.traces.flow.keeping import Counts, Way, add
from eventhub.traces.models import FlowProgress, Grain, HopKind
from monitoring.rollups.windows import floor_to

PIECE = 5_000
# How long one run works before it lets others have the worker.
RUN_S = 2.5
# A trace is looked at when nothing has come of it for so long.
QUIET_S = 2.0
LONGEST_NAME = 300
# What happened longer ago is not told by the second: a backlog of days would fill the table with seconds.
SECONDS_FOR = timedelta(hours=2)


class Seen(msgspec.Struct, frozen=True):
    """One event of the log as the learner needs it, with what it is about: its cause, or the event it reports on."""

    event_type: str
    source: str | None
    correlation_id: str | None
    occurred_at: datetime
    # For a receipt: who processed it, and for how long.
    service: str | None
    duration_ms: float | None
    about_type: str | None
    about_source: str | None
    about_at: datetime | None
    recorded_at: datetime
    # Of one that came from no source; None for one that did, which ingest has counted.
    appended_bytes: int | None
    txid: int
    position: int


def learn(run_s: float = RUN_S) -> int:
    """Follow the log for a while; how many events were read. Does nothing while another worker is at it."""
    until = time.monotonic() + run_s
    read = 0
    while (count := _piece()) and time.monotonic() < until:
        read += count
    return read + count


@transaction.atomic
def _piece() -> int:
    FlowProgress.objects.get_or_create(pk=1)
    progress = FlowProgress.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    if progress is None:
        return 0
    seen = _next(progress)
    if seen:
        ways, touched = counted(seen, datetime.now(UTC))
        add(ways)
        appended.add(_appended(seen))
        _mark(touched)
        progress.txid, progress.position = seen[-1].txid, seen[-1].position
        progress.looked_at += len(seen)
    if len(seen) < PIECE:
        progress.caught_up_at = datetime.now(UTC)
    progress.save()
    return len(seen)


def counted(seen: Sequence[Seen], now: datetime) -> tuple[dict[Way, Counts], set[str]]:
    """What a piece of the log, read at `now`, adds to the ways, and which traces it is of."""
    ways: dict[Way, Counts] = defaultdict(Counts)
    touched: set[str] = set()
    for event in seen:
        if event.correlation_id:
            touched.add(event.correlation_id)
        if (way := _way(event)) is None:
            continue
        took_s, failed = _took(event), event.event_type == receipts.FAILED
        # Names longer than an index holds are cut rather than let them stop the learner.
        kind, *names = (name[:LONGEST_NAME] for name in way)
        for grain in _grains(event.occurred_at, now):
            ways[Way(int(grain), _bucket(event.occurred_at, grain), kind, *names)].add(took_s, failed=failed)
    return ways, touched


def _appended(seen: Sequence[Seen]) -> list[Appended]:
    return [
        Appended(
            event.event_type, event.source or "", event.occurred_at, event.recorded_at, event.appended_bytes
        )
        for event in seen
        if event.appended_bytes is not None
    ]


def _way(event: Seen) -> tuple[str, str, str, str, str] | None:
    about, about_source = event.about_type or "", event.about_source or ""
    if event.event_type in receipts.TYPES:
        if not about or not (event.service or event.source):
            return None
        return HopKind.DELIVERY, about, about_source, "", event.service or event.source or ""
    if event.event_type.startswith("eventhub."):
        return None
    return HopKind.HOP, about, about_source, event.event_type, event.source or ""


def _took(event: Seen) -> float | None:
    if event.event_type in receipts.TYPES:
        return event.duration_ms / 1000 if event.duration_ms is not None and event.duration_ms >= 0 else None
    return (event.occurred_at - event.about_at).total_seconds() if event.about_at else None


def _grains(at: datetime, now: datetime) -> Sequence[Grain]:
    return tuple(Grain) if at >= now - SECONDS_FOR else (Grain.MINUTE, Grain.HOUR)


def _bucket(at: datetime, grain: Grain) -> datetime:
    return floor_to(at, int(grain))


def _next(progress: FlowProgress) -> list[Seen]:
    # Index events_event_log (txid, position), forwards; for what each is about events_event_once, in the partitions
    # of the days around it.
    sql = """
        SELECT effect.event_type, effect.source, effect.correlation_id, effect.occurred_at,
               effect.service, effect.duration_ms, about.event_type, about.source, about.occurred_at,
               effect.recorded_at, effect.appended_bytes, effect.txid::text::bigint, effect.position
        FROM (
            SELECT event_type, source, correlation_id, occurred_at, recorded_at, txid, position,
                CASE WHEN origin_id IS NULL
                    THEN coalesce(octet_length(data::text), 0) + octet_length(metadata::text) END AS appended_bytes,
                CASE WHEN event_type = ANY(%s) THEN data->>'event_id' ELSE causation_id END AS about_id,
                CASE WHEN event_type = ANY(%s) THEN data->>'service' END AS service,
                CASE WHEN event_type = ANY(%s) AND jsonb_typeof(data->'duration_ms') = 'number'
                    THEN least(greatest((data->'duration_ms')::numeric, -1), 1e12)::float8 END AS duration_ms
            FROM events_event
            WHERE (txid, position) > (%s::xid8, %s) AND txid < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY events_event.txid, position LIMIT %s
        ) AS effect
        LEFT JOIN LATERAL (
            SELECT event_type, source, occurred_at FROM events_event
            WHERE event_id = effect.about_id
                AND occurred_at >= effect.occurred_at - interval '2 days'
                AND occurred_at <= effect.occurred_at + interval '1 hour'
            LIMIT 1
        ) AS about ON true
        ORDER BY effect.txid, effect.position"""
    kinds = list(receipts.TYPES)
    with connection.cursor() as cursor:
        cursor.execute(sql, [kinds, kinds, kinds, str(progress.txid), progress.position, PIECE])
        return [Seen(*row) for row in cursor]


def _mark(correlation_ids: set[str]) -> None:
    """The traces are to be looked at when they have been quiet for a moment."""
    values: list[Any] = [sorted(correlation_ids), datetime.now(UTC) + timedelta(seconds=QUIET_S)]
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO traces_instance (correlation_id, due_at, start_type, state, subject, events, failed_type,
                   missing_type, missing_after, undone, slow_hops)
               SELECT id, %s, '', '', '', 0, '', '', '', '[]', '[]' FROM unnest(%s::text[]) AS id
               ON CONFLICT (correlation_id) DO UPDATE SET due_at = excluded.due_at""",
            [values[1], values[0]],
        )
