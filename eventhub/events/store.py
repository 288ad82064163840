"""Appending to the event store: every event once, in batches, by COPY.

The happy path is one COPY into the table. When the table already holds one of the events, the batch goes through
a staging table with ON CONFLICT DO NOTHING instead, which tells new events, duplicates and mutated duplicates
apart. A row that PostgreSQL refuses is found by halving the batch; the others are stored.
"""

import hashlib
import re
from collections.abc import Sequence
from enum import IntEnum

import msgspec
from django.db import DataError, connection, transaction
from psycopg import errors

from eventhub.events.envelope import Event
from eventhub.events.message import HeaderPairs, Message

# Readers that follow the log in (txid, position) order take only what satisfies this: a transaction that began
# before the oldest one still running can add nothing behind their back.
SETTLED = "txid < pg_snapshot_xmin(pg_current_snapshot())"

COLUMNS = (
    "event_id, event_type, event_version, occurred_at, source, correlation_id, causation_id, stream, stream_version, "
    "data, metadata, message_key, headers, origin_id, origin_topic, origin_partition, origin_offset, is_undated"
)
# Control characters that no checked field and no valid JSON text can hold (eventhub/events/checks.py) stand for
# column ends, row ends and NULL until the whole batch has been escaped at once.
COLUMN_END, ROW_END, NULL = "\x1f", "\x1e", "\x1d"
COPY = "COPY {table} ({columns}) FROM STDIN WITH (FORMAT text, NULL E'\\x1d')"
CONTROL = re.compile(r"[\x00-\x1f]")
# How PostgreSQL says that it cannot hold a value (as psycopg raises it from COPY, and as Django wraps it elsewhere).
REFUSALS = (errors.DataError, errors.ProgramLimitExceeded, errors.StatementTooComplex, DataError)


class Outcome(IntEnum):
    """What became of one event of a batch."""

    STORED = 0
    DUPLICATE = 1
    # The id is stored with other content: a broken promise of immutability, kept aside.
    MUTATED = 2
    # PostgreSQL cannot hold it, e.g. a number beyond its range.
    REFUSED = 3


class Appended(msgspec.Struct, frozen=True):
    """What became of each event of a batch, in its order."""

    outcomes: list[Outcome]
    # PostgreSQL's reason for each refused event, by its index.
    refusals: dict[int, str]

    def stored(self) -> int:
        """How many events were new."""
        return self.outcomes.count(Outcome.STORED)


class Prepared(msgspec.Struct, frozen=True):
    """A batch ready to be appended. Preparing needs no database, so it overlaps the writing of the batch before."""

    events: Sequence[Event]
    # The messages the events came in, in the same order.
    origins: Sequence[Message]
    origin_id: int | None
    # All rows, as COPY reads them.
    text: bytes
    # Whether no id is in it twice and each event comes with the same time whenever it comes again.
    is_plain: bool


def prepare(events: Sequence[Event], origins: Sequence[Message], origin_id: int | None) -> Prepared:
    """Lay out the rows of `events`; `origins` are the messages they came in, in the same order."""
    is_plain = len({event.event_id for event in events}) == len(events) and all(
        map(_has_stable_time, events, origins)
    )
    return Prepared(events, origins, origin_id, _copy_text(_rows(events, origins, origin_id)), is_plain)


def _rows(events: Sequence[Event], origins: Sequence[Message], origin_id: int | None) -> list[str]:
    tails = _Tails(origin_id)
    if any(map(CONTROL.search, [message.offset for message in origins])):
        raise ValueError("a broker's offset holds a control character")
    return [
        f"{event.event_id}\x1f{event.event_type}\x1f{event.event_version or NULL}\x1f{occurred_at}"
        f"\x1f{event.source or NULL}\x1f{event.correlation_id or NULL}\x1f{event.causation_id or NULL}"
        f"\x1f{event.stream or NULL}\x1f{NULL if event.stream_version is None else event.stream_version}"
        f"\x1f{event.data}\x1f{event.metadata}\x1f{NULL if message.key is None else _plain(message.key)}"
        f"\x1f{_headers_json(event.headers or message.header_pairs()) if message.headers or event.headers else NULL}"
        f"\x1f{tails[message.topic, message.partition]}\x1f{message.offset or NULL}"
        f"\x1f{NULL if event.has_producer_time else 't'}"
        for event, message, occurred_at in zip(events, origins, _times(events), strict=True)
    ]


def _times(events: Sequence[Event]) -> list[str]:
    """When each occurred, in ISO 8601; all at once, because one at a time costs as much as the rest of a row."""
    if not events:
        return []
    return msgspec.json.encode([event.occurred_at for event in events]).decode()[2:-2].split('","')


def append(batch: Prepared, *, expect_duplicates: bool = False) -> Appended:
    """Append `batch` to the store, in the caller's transaction.

    With `expect_duplicates` the staging table is used at once, which is cheaper than a COPY that fails. The
    partitions must have been ensured (``eventhub.events.partitions.ensure``).
    """
    outcomes = [Outcome.STORED] * len(batch.events)
    refusals: dict[int, str] = {}
    fresh = _mark_known(batch, outcomes)
    if not fresh:
        return Appended(outcomes, refusals)
    if not expect_duplicates and _copy_all(batch, fresh):
        return Appended(outcomes, refusals)
    _append_staged(batch, fresh, outcomes, refusals)
    mutated = [index for index in fresh if outcomes[index] is Outcome.MUTATED]
    _keep_aside(batch, mutated)
    return Appended(outcomes, refusals)


def _mark_known(batch: Prepared, outcomes: list[Outcome]) -> list[int]:
    """Mark the events that the batch itself or, for want of a time, the table already holds; return the others."""
    if batch.is_plain:
        return list(range(len(batch.events)))
    seen: dict[object, int] = {}
    fresh: list[int] = []
    mutated: list[int] = []
    timeless: list[int] = []
    for index, event in enumerate(batch.events):
        has_time = _has_stable_time(event, batch.origins[index])
        key = (event.event_id, event.occurred_at) if has_time else event.event_id
        first = seen.setdefault(key, index)
        if first != index:
            same = _content(event) == _content(batch.events[first])
            outcomes[index] = Outcome.DUPLICATE if same else Outcome.MUTATED
            if not same:
                mutated.append(index)
        else:
            fresh.append(index)
            if not has_time:
                timeless.append(index)
    if timeless:
        known = _known_without_time(batch, timeless)
        for index, same in known.items():
            outcomes[index] = Outcome.DUPLICATE if same else Outcome.MUTATED
            if not same:
                mutated.append(index)
        fresh = [index for index in fresh if index not in known]
    _keep_aside(batch, mutated)
    return fresh


def _has_stable_time(event: Event, origin: Message) -> bool:
    """Whether the event comes with the same time again when it comes again, so that id and time tell which it is.

    The producer's time does; the broker's does for an event whose id is its place in the broker. It does not when
    a producer without clock publishes the same id twice, nor for what arrives over HTTP without id and time.
    """
    return event.has_producer_time or (not event.has_producer_id and bool(origin.offset))


def _known_without_time(batch: Prepared, indexes: list[int]) -> dict[int, bool]:
    """Which of these events the table holds at whatever time, and whether with the same content.

    The unique index cannot tell, as it needs the time; so one writer at a time checks and writes such events.
    """
    index_of = {batch.events[index].event_id: index for index in indexes}
    known: dict[int, bool] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('events without time'))")
        cursor.execute(  # events_event_once, on each partition
            "SELECT event_id, event_type, event_version, stream, stream_version, data::text FROM events_event"
            " WHERE event_id = ANY(%s)",
            [list(index_of)],
        )
        for event_id, *content, data in cursor.fetchall():
            index = index_of[event_id]
            is_same = (*content, _canonical(data)) == _content(batch.events[index])
            known[index] = known.get(index, False) or is_same
    return known


def _copy_all(batch: Prepared, indexes: list[int]) -> bool:
    """COPY these events; False when the table holds one of them or refuses one, and then none is stored."""
    text = batch.text if len(indexes) == len(batch.events) else _copy_text(_rows_of(batch, indexes))
    try:
        with transaction.atomic():
            _copy("events_event", COLUMNS, text)
    except (errors.UniqueViolation, *REFUSALS):
        return False
    return True


def _append_staged(
    batch: Prepared,
    indexes: list[int],
    outcomes: list[Outcome],
    refusals: dict[int, str],
    *,
    is_part: bool = False,
) -> None:
    """Append through the staging table; halve what PostgreSQL refuses until the culprit stands alone."""
    try:
        with transaction.atomic():
            for index, outcome in _merge_staged(batch, indexes, is_part=is_part).items():
                outcomes[index] = outcome
    except REFUSALS as error:
        if len(indexes) == 1:
            outcomes[indexes[0]] = Outcome.REFUSED
            refusals[indexes[0]] = str(error).splitlines()[0]
            return
        middle = len(indexes) // 2
        for part in (indexes[:middle], indexes[middle:]):
            _append_staged(batch, part, outcomes, refusals, is_part=True)


def _merge_staged(batch: Prepared, indexes: list[int], *, is_part: bool) -> dict[int, Outcome]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS staged_event ON COMMIT DELETE ROWS AS"
            f" SELECT 0 AS n, {COLUMNS} FROM events_event WITH NO DATA"
        )
        if is_part:
            cursor.execute("TRUNCATE staged_event")
        rows = zip(indexes, _rows_of(batch, indexes), strict=True)
        _copy("staged_event", f"n, {COLUMNS}", _copy_text([f"{n}{COLUMN_END}{row}" for n, row in rows]))
        cursor.execute(
            f"INSERT INTO events_event ({COLUMNS}) SELECT {COLUMNS} FROM staged_event ORDER BY n"
            " ON CONFLICT (event_id, occurred_at) DO NOTHING"
        )
        if cursor.rowcount == len(indexes):
            return {}
        # What is in the table and was not put there by this transaction was there before: a duplicate. LIMIT keeps
        # the lookup by events_event_once for each row; a join could be planned as a scan of the whole table.
        cursor.execute(
            "SELECT staged.n, there.content IS DISTINCT FROM"
            " (staged.event_type, staged.event_version, staged.stream, staged.stream_version, staged.data)"
            " FROM staged_event staged CROSS JOIN LATERAL ("
            "   SELECT (event_type, event_version, stream, stream_version, data) AS content FROM events_event event"
            "   WHERE event.event_id = staged.event_id AND event.occurred_at = staged.occurred_at"
            "   AND event.txid <> pg_current_xact_id() LIMIT 1) AS there"
        )
        return {n: Outcome.MUTATED if differs else Outcome.DUPLICATE for n, differs in cursor.fetchall()}


def _headers_json(pairs: HeaderPairs) -> str:
    """The headers as they came: an object, or pairs where a name came twice."""
    named = dict(pairs)
    told = named if len(named) == len(pairs) else pairs
    text = msgspec.json.encode(told).decode()
    if "\\u0000" not in text:
        return text
    # jsonb refuses NUL.
    visible = tuple((name.replace("\x00", "␀"), value.replace("\x00", "␀")) for name, value in pairs)
    return msgspec.json.encode(dict(visible) if told is named else visible).decode()


def _plain(text: str) -> str:
    """Text that no envelope check has seen, without characters that stand for something in a batch."""
    return CONTROL.sub("␀", text) if CONTROL.search(text) else text


def _rows_of(batch: Prepared, indexes: Sequence[int]) -> list[str]:
    return _rows([batch.events[n] for n in indexes], [batch.origins[n] for n in indexes], batch.origin_id)


def _copy_text(rows: Sequence[str]) -> bytes:
    """Rows as PostgreSQL's COPY reads them: escaped all at once, which is what the control characters are for."""
    text = (
        ROW_END.join(rows)
        .replace("\\", "\\\\")
        .replace("\n", " ")  # only as white space between the parts of a JSON text
        .replace("\r", " ")
        .replace("\t", " ")
        .replace(COLUMN_END, "\t")
        .replace(ROW_END, "\n")
    )
    return text.encode()


def _copy(table: str, columns: str, text: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY.format(table=table, columns=columns)) as copy:
        copy.write(text)


def _keep_aside(batch: Prepared, indexes: Sequence[int]) -> None:
    """Record mutated duplicates, once for each different content."""
    for index in sorted(indexes, key=lambda index: batch.events[index].event_id):
        event = batch.events[index]
        content = msgspec.json.encode(
            {
                name: value
                for name, value in msgspec.structs.asdict(event).items()
                if name != "headers" and not name.startswith("has_")
            }
            | {"data": msgspec.Raw(event.data.encode()), "metadata": msgspec.Raw(event.metadata.encode())}
        ).decode()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO events_mutatedduplicate (event_id, occurred_at, event_type, source, content,"
                " content_digest, origin_id, times_seen, first_seen_at, last_seen_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, 1, now(), now())"
                " ON CONFLICT (event_id, content_digest) DO UPDATE"
                " SET times_seen = events_mutatedduplicate.times_seen + 1, last_seen_at = now()",
                [
                    event.event_id,
                    event.occurred_at,
                    event.event_type,
                    event.source,
                    content,
                    hashlib.sha256(repr(_content(event)).encode()).hexdigest(),
                    batch.origin_id,
                ],
            )


def _content(event: Event) -> tuple[object, ...]:
    """What the promise of immutability is about."""
    return (event.event_type, event.event_version, event.stream, event.stream_version, _canonical(event.data))


def _canonical(data: str) -> bytes:
    """JSON text that is the same for the same value, however it was spaced and ordered."""
    try:
        return msgspec.json.encode(msgspec.json.decode(data), order="sorted")
    except msgspec.DecodeError:  # a number that no float can hold: only the same text is the same
        return data.encode()


class _Tails(dict[tuple[str, int | None], str]):
    """The columns of where a message was, but for its offset: the same for most messages of a batch."""

    def __init__(self, origin_id: int | None) -> None:
        super().__init__()
        self.origin = NULL if origin_id is None else str(origin_id)

    def __missing__(self, place: tuple[str, int | None]) -> str:
        topic, partition = place
        plain = _plain(topic) or NULL
        tail = f"{self.origin}\x1f{plain}\x1f{NULL if partition is None else partition}"
        self[place] = tail
        return tail
