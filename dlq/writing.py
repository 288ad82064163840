"""Letters written into their table: by COPY into a staging table, and from there those that are new.

Half of the time that one JSON text of all letters takes, and a row that is there already costs nothing but its line.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex

import msgspec
from django.db import connection

from dlq.groups import Place
from dlq.letter import NewLetter
from dlq.text import MAX_INDEXED_CHARS, indexable, storable

COLUMNS = (
    "group_id, own_group_id, source_id, recorded_at, attributes, reason, origin_key, body, size_bytes, headers,"
    ' raw_headers, properties, key, topic, read_from, partition, "offset", event_id, event_type, event_version,'
    " correlation_id, causation_id, event_source, failed_in, error_class, error_message, stack, attempts,"
    " first_failed_at, last_failed_at, status, returns, closed_by, closed_note"
)
_STAGING = f"""
    CREATE TEMP TABLE IF NOT EXISTS staged_letter ON COMMIT DELETE ROWS AS
    SELECT {COLUMNS} FROM dlq_deadletter WITH NO DATA
"""  # noqa: S608 - columns are written above
_COPY = f"COPY staged_letter ({COLUMNS}) FROM STDIN"
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


def write(
    source_id: int, letters: Sequence[NewLetter], places: Sequence[Place], now: datetime, *, is_first: bool
) -> list[tuple[int, int, datetime]]:
    """Write the letters that are not there yet; for each group, how many were new and when the latest of them failed.

    Call it inside a transaction. Unless `is_first`, what the call before staged is dropped, which only saves looking at
    it again: it is there. Bodies are in memory three times over meanwhile.
    """
    start = (str(source_id), now.isoformat())
    lines = [
        (indexable(letter.message.origin_key) or "", _line(letter, place, start, now))
        for letter, place in zip(letters, places, strict=True)
    ]
    # In one order everywhere, so that two workers given the same messages wait for each other, never in a ring.
    lines.sort()
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        if not is_first:
            cursor.execute("TRUNCATE staged_letter")
        with cursor.copy(_COPY) as copy:
            copy.write("\n".join([line for _, line in lines]).encode())
        cursor.execute(_INSERT)
        return list(cursor.fetchall())


def _line(letter: NewLetter, place: Place, start: tuple[str, str], now: datetime) -> str:
    """A letter as COPY reads it."""
    message, event = letter.message, letter.event
    is_elsewhere = letter.topic is not None
    failed_at = (letter.failed_at or now).isoformat()
    partition = letter.partition if is_elsewhere else message.partition
    texts = [
        str(place.group),
        _NULL if place.own_group is None else str(place.own_group),
        *start,
        _NULL if letter.attributes is None else f"{{{','.join(map(str, letter.attributes))}}}",
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
        failed_at,
        failed_at,
        *_NEW,
    ]
    line = _END.join(texts)
    if line.count(_END) != len(texts) - 1 or not _is_storable(line):
        return "\t".join("\\N" if text is _NULL else _escaped(storable(text)) for text in texts)
    return _escaped(line).replace(_END, "\t").replace(_NULL, "\\N")


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
