"""Letters written into their table by COPY; where some of them are there already, by way of a staging table.

COPY into the table itself takes two thirds of the time, and fails as a whole when one letter is there. That is seldom:
a batch is delivered twice when a worker died between storing and acknowledging it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex
from typing import Any

import msgspec
from django.db import connection, transaction
from psycopg import errors

from dlq import lanes
from dlq.attributes import MOST_BYTES, digests_of, digests_of_body
from dlq.groups import Place
from dlq.letter import NewLetter
from dlq.text import MAX_INDEXED_CHARS, indexable, storable

# What is known only when a letter is written, and the rest.
_PLACED = "group_id, own_group_id, first_failed_at, last_failed_at, source_id, recorded_at"
_TOLD = (
    "attributes, reason, origin_key, body, size_bytes, headers, raw_headers, properties, key, topic, read_from,"
    ' partition, "offset", event_id, event_type, event_version, correlation_id, causation_id, event_source, failed_in,'
    " error_class, error_message, stack, attempts, status, returns, closed_by, closed_note"
)
COLUMNS = f"{_PLACED}, {_TOLD}"
_STAGING = f"""
    CREATE TEMP TABLE IF NOT EXISTS staged_letter ON COMMIT DELETE ROWS AS
    SELECT {COLUMNS} FROM dlq_deadletter WITH NO DATA
"""  # noqa: S608 - columns are written above
# In the order in which they were staged.
_INSERT = f"""
    WITH inserted AS (
        INSERT INTO dlq_deadletter ({COLUMNS}) SELECT {COLUMNS} FROM staged_letter
        ON CONFLICT (origin_key) DO NOTHING RETURNING group_id, last_failed_at
    )
    SELECT group_id, count(*), max(last_failed_at) FROM inserted GROUP BY group_id
"""  # noqa: S608 - columns are written above
# Stand for column ends and NULL until a whole line has been escaped. The texts of a line that hold an end are escaped
# by themselves; what stands for NULL no message can know.
_END, _NULL = "\x1f", f"\x1d{token_hex(8)}"
_NEW = ("open", "0", "", "")

# A group, how many letters are new in it, and when the latest of them failed.
Added = tuple[int, int, datetime]


def write(
    source_id: int, letters: Sequence[NewLetter], places: Sequence[Place], now: datetime
) -> list[Added]:
    """Write the letters that are not there yet; how many were new in each group. Call it inside a transaction.

    Bodies are in memory three times over meanwhile.
    """
    at = now.isoformat()
    end = f"{source_id}\t{at}"
    lines = [
        (indexable(letter.message.origin_key) or "", _placed(letter, place, at, end))
        for letter, place in zip(letters, places, strict=True)
    ]
    # In one order everywhere, so that two workers given the same messages wait for each other, never in a ring.
    lines.sort()
    text = "\n".join([line for _, line in lines]).encode()
    lanes.add(source_id, _lanes(letters, places))
    return _added(letters, places, now) if _copy_all(text) else _staged(text)


def _lanes(letters: Sequence[NewLetter], places: Sequence[Place]) -> list[tuple[int, str, str]]:
    """The lanes of these letters: group, topic, and queue they were read from."""
    told = {
        (place.group, letter.message.topic if letter.topic is None else letter.topic, letter.message.topic)
        for letter, place in zip(letters, places, strict=True)
    }
    return [(group, indexable(topic) or "", indexable(read_from) or "") for group, topic, read_from in told]


def _placed(letter: NewLetter, place: Place, at: str, end: str) -> str:
    """A letter's whole line."""
    failed_at = letter.failed_at.isoformat() if letter.failed_at else at
    own = "\\N" if place.own_group is None else place.own_group
    return f"{place.group}\t{own}\t{failed_at}\t{failed_at}\t{end}\t{letter.line or line_of(letter)}"


def _copy_all(text: bytes) -> bool:
    """COPY them, if all of them are new; returns whether they were."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            _copy(cursor, "dlq_deadletter", text)
    except errors.UniqueViolation:
        return False
    return True


def _staged(text: bytes) -> list[Added]:
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute("TRUNCATE staged_letter")
        _copy(cursor, "staged_letter", text)
        cursor.execute(_INSERT)
        return list(cursor.fetchall())


def _copy(cursor: Any, table: str, text: bytes) -> None:
    with cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN") as copy:
        copy.write(text)


def _added(letters: Sequence[NewLetter], places: Sequence[Place], now: datetime) -> list[Added]:
    """What all of these letters add."""
    failed: dict[int, list[datetime]] = {}
    for letter, place in zip(letters, places, strict=True):
        failed.setdefault(place.group, []).append(letter.failed_at or now)
    return [(group, len(times), max(times)) for group, times in failed.items()]


def line_of(letter: NewLetter) -> str:
    """A letter as COPY reads it, but for where and when it is written."""
    message, event = letter.message, letter.event
    is_elsewhere = letter.topic is not None
    partition = letter.partition if is_elsewhere else message.partition
    attributes = _attributes(letter)
    texts = [
        _NULL if attributes is None else f"{{{','.join(map(str, attributes))}}}",
        letter.reason.value,
        _indexable(message.origin_key),
        f"\\x{message.body.hex()}",
        str(len(message.body)),
        _json(message.headers),
        _pairs(message.raw_headers) if message.raw_headers else _NULL,
        _json({**message.properties, **letter.properties}),
        _NULL if message.key is None else message.key,
        _indexable(message.topic if letter.topic is None else letter.topic),
        _indexable(message.topic),
        _NULL if partition is None else str(partition),
        message.offset,
        *(_event(letter) if event else _NO_EVENT),
        letter.failed_in,
        letter.error_class,
        letter.error_message,
        letter.stack,
        str(letter.attempts),
        *_NEW,
    ]
    line = _END.join(texts)
    if line.count(_END) != len(texts) - 1 or not _is_storable(line):
        return "\t".join("\\N" if text is _NULL else _escaped(storable(text)) for text in texts)
    return _escaped(line).replace(_END, "\t").replace(_NULL, "\\N")


def _attributes(letter: NewLetter) -> list[int] | None:
    """The values of its payload that it is found by."""
    if letter.event:
        return digests_of(letter.event.data)
    body = letter.message.body
    return digests_of_body(body) if len(body) <= MOST_BYTES and body[:1] in (b"{", b"[") else None


def _event(letter: NewLetter) -> Iterable[str]:
    event = letter.event
    assert event is not None
    return (
        _NULL if (event_id := letter.event_id) is None else event_id,
        _NULL if event.event_type is None else event.event_type,
        _NULL if event.event_version is None else event.event_version,
        _NULL if event.correlation_id is None else _indexable(event.correlation_id),
        _NULL if event.causation_id is None else event.causation_id,
        _NULL if event.source is None else event.source,
    )


_NO_EVENT = (_NULL,) * 6


def _indexable(text: str) -> str:
    return text if len(text) <= MAX_INDEXED_CHARS else indexable(text) or ""


def _json(texts: Mapping[str, str]) -> str:
    """Texts by name, as jsonb takes them."""
    if not texts:
        return "{}"
    try:
        encoded = msgspec.json.encode(texts).decode()
    except UnicodeEncodeError:
        encoded = "\\u0000"
    if "\\u0000" in encoded:
        encoded = msgspec.json.encode(
            {storable(name): storable(value) for name, value in texts.items()}
        ).decode()
    return encoded


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return msgspec.json.encode([(storable(name), storable(value)) for name, value in pairs]).decode()


def _is_storable(line: str) -> bool:
    if "\x00" in line:
        return False
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
