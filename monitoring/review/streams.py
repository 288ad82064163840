"""The versions of streams as they come in: what is missing, what came late, where it came. Pure, but for keeping."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from monitoring.review.models import ReviewProgress
from monitoring.review.piece import Piece, select

# The most events of a piece that are followed, and the most streams that are remembered.
MOST_EVENTS = 2_000
MOST_STREAMS = 10_000
# What has not come so long after the version behind it was recorded is a gap.
GAP_AFTER = timedelta(seconds=30)
# More versions that are missing at once are told as one.
MOST_MISSING = 20


class Step(msgspec.Struct, frozen=True):
    """One event of a stream, in the order in which the hub recorded it."""

    stream: str
    version: int | None
    service: str
    event_type: str
    event_id: str
    # Where it came from: source and topic; events of two places do not come in one order.
    place: str
    topic: str
    partition: int | None
    recorded_at: datetime


class Missing(msgspec.Struct, frozen=True):
    """A version that has not come, told by the event that skipped it."""

    service: str
    event_type: str
    event_id: str
    place: str
    since: datetime


class Stream(msgspec.Struct):
    """What was seen of one stream."""

    highest: int
    seen_at: datetime
    missing: dict[int, Missing] = {}
    # topic -> its partitions.
    partitions: dict[str, list[int]] = {}


class Seen(msgspec.Struct):
    """What steps showed: each a list of the events to show for it."""

    swapped: list[Step] = []
    gaps: list[Missing] = []
    # Streams with a partition, by topic and service, and those that were met on a second one.
    keyed: list[Step] = []
    split: list[Step] = []


def follow(streams: dict[str, Stream], steps: Iterable[Step], now: datetime) -> Seen:
    """Take steps into `streams`, which it changes."""
    seen = Seen()
    for step in steps:
        stream = streams.get(step.stream)
        if stream is None:
            stream = streams[step.stream] = Stream(
                step.version if step.version is not None else -1, step.recorded_at
            )
        elif step.version is not None:
            _take(stream, step, seen)
        stream.seen_at = step.recorded_at
        _place(stream, step, seen)
    for stream in streams.values():
        for version, missing in list(stream.missing.items()):
            if now - missing.since >= GAP_AFTER:
                seen.gaps.append(missing)
                del stream.missing[version]
    return seen


def _take(stream: Stream, step: Step, seen: Seen) -> None:
    version = step.version or 0
    if stream.highest < 0:
        stream.highest = version
    elif version > stream.highest:
        for skipped in range(max(stream.highest + 1, version - MOST_MISSING), version):
            stream.missing[skipped] = Missing(
                step.service, step.event_type, step.event_id, step.place, step.recorded_at
            )
        stream.highest = version
    elif version in stream.missing and stream.missing.pop(version).place == step.place:
        seen.swapped.append(step)


def _place(stream: Stream, step: Step, seen: Seen) -> None:
    if step.partition is None:
        return
    known = stream.partitions.setdefault(step.topic, [])
    if step.partition in known:
        return
    known.append(step.partition)
    if len(known) == 1:
        seen.keyed.append(step)
    elif len(known) == 2:
        seen.split.append(step)


def steps(piece: Piece, share: int) -> Sequence[Step]:
    """The events of one stream in `share`; empty where there are far more than expected."""
    rows = piece.select(
        f"""SELECT stream, stream_version, coalesce(source, ''), event_type, event_id,
               concat_ws('/', origin_id, origin_topic, origin_partition), coalesce(origin_topic, ''),
               origin_partition, recorded_at
            FROM events_event WHERE {{piece}} AND stream IS NOT NULL AND (hashtext(stream) & {share - 1}) = 0
                AND (stream_version IS NOT NULL OR origin_partition IS NOT NULL)
            ORDER BY events_event.txid, position LIMIT {5 * MOST_EVENTS}"""  # noqa: S608 - numbers
    )
    return [Step(*row) for row in rows] if len(rows) < 5 * MOST_EVENTS else []


def followed(piece: Piece) -> Seen:
    """Follow the piece's streams from where the last one left them, in the reader's transaction."""
    share = piece.one_in(MOST_EVENTS)
    found = steps(piece, share)
    progress = ReviewProgress.objects.get(pk=1)
    if share > progress.stream_share:
        # Of streams that were not followed just now the next event would show a gap that is none.
        _forget(f"(hashtext(stream) & {share - 1}) <> 0")
    ReviewProgress.objects.filter(pk=1).update(stream_share=share)
    if not found and share > 1:
        _forget("true")
        return Seen()
    rows = select(
        """SELECT stream, highest, missing::text, places::text, seen_at FROM review_streamstate
           WHERE stream = ANY(%s) OR missing <> '{}'::jsonb""",
        list({step.stream for step in found}),
    )
    streams = {row[0]: _read(*row[1:]) for row in rows}
    before = {name: msgspec.json.encode(stream) for name, stream in streams.items()}
    seen = follow(streams, found, max(piece.until, datetime.now(UTC)))
    _keep({name: one for name, one in streams.items() if before.get(name) != msgspec.json.encode(one)})
    return seen


def _read(highest: int, missing: str, places: str, seen_at: datetime) -> Stream:
    versions = msgspec.json.decode(missing, type=dict[str, Missing])
    partitions = msgspec.json.decode(places, type=dict[str, list[int]])
    return Stream(highest, seen_at, {int(version): one for version, one in versions.items()}, partitions)


def _keep(streams: dict[str, Stream]) -> None:
    rows = [
        (
            name,
            one.highest,
            msgspec.json.encode({str(version): missing for version, missing in one.missing.items()}).decode(),
            msgspec.json.encode(one.partitions).decode(),
            one.seen_at,
        )
        for name, one in sorted(streams.items())
    ]
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        select(
            """INSERT INTO review_streamstate (stream, highest, missing, places, seen_at)
               SELECT stream, highest, missing::jsonb, places::jsonb, seen_at
               FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[])
                   AS new (stream, highest, missing, places, seen_at)
               ON CONFLICT (stream) DO UPDATE SET highest = excluded.highest, missing = excluded.missing,
                   places = excluded.places, seen_at = excluded.seen_at RETURNING 1""",
            *columns,
        )
    with connection.cursor() as cursor:
        cursor.execute(  # the index on seen_at
            """DELETE FROM review_streamstate WHERE seen_at < (
                   SELECT seen_at FROM review_streamstate ORDER BY seen_at DESC OFFSET %s LIMIT 1)""",
            [MOST_STREAMS],
        )


def _forget(condition: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM review_streamstate WHERE {condition}")  # noqa: S608 - our own conditions


def counted_by(steps: Iterable[Step | Missing]) -> dict[tuple[str, str], list[str]]:
    """The events of these by (service, event type)."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for step in steps:
        found[step.service, step.event_type].append(step.event_id)
    return found
