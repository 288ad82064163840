"""Where messages become dead letters. Called by ingest, in the transaction that stores the rest of their batch.

A letter is written once, however often its message is delivered. A retried message that dies again does not become
a letter of its own: it reopens the one that it was sent for (``dlq/returns.py``).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from django.db import connection
from django.utils import timezone

from dlq import counts, regressions, returns
from dlq.groups import Place, places
from dlq.letter import NewLetter, fingerprint_of, prepared
from dlq.text import indexable, storable, storable_or_none
from eventhub.brokers.models import Source

__all__ = ["NewLetter", "record"]

# A statement is built in memory, a third larger than the bodies: this much of them goes into one.
MAX_STATEMENT_BYTES = 32 * 1024 * 1024
MAX_STATEMENT_LETTERS = 5_000


def record(source: Source, letters: Sequence[NewLetter]) -> int:
    """Write the letters that are not there yet; returns how many were new. Call it inside a transaction.

    A handful of statements for each batch, however many letters it holds.
    """
    if not letters:
        return 0
    fresh = returns.take(source, [one if one.fingerprint else prepared(source, one) for one in letters])
    return sum(_write(source, part) for part in _statements(fresh))


def _statements(letters: Sequence[NewLetter]) -> Iterator[list[NewLetter]]:
    """`letters` in parts that fit one statement each."""
    part: list[NewLetter] = []
    size = 0
    for letter in letters:
        size += len(letter.message.body)
        if part and (size > MAX_STATEMENT_BYTES or len(part) == MAX_STATEMENT_LETTERS):
            yield part
            part, size = [], len(letter.message.body)
        part.append(letter)
    if part:
        yield part


def _write(source: Source, letters: Sequence[NewLetter]) -> int:
    found = places(source, [(fingerprint_of(source, letter), letter) for letter in letters])
    now = timezone.now()
    rows = [_row(letter, place, now) for letter, place in zip(letters, found, strict=True)]
    # In one order everywhere, so that two workers given the same messages wait for each other, never in a ring.
    rows.sort(key=lambda row: row.origin_key)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [source.pk, now, msgspec.json.encode(rows).decode()])
        inserted = cursor.fetchall()
    changes = {
        group_id: counts.Change(failures=count, letters=count, open=count, last_failed_at=failed_at)
        for group_id, count, failed_at in inserted
    }
    counts.add(changes)
    if any(place.is_fixed for place in found):
        regressions.notice(changes)
    return sum(change.letters for change in changes.values())


class _Row(msgspec.Struct, gc=False):
    """A letter as its columns; bytes become base64 in JSON."""

    group_id: int
    own_group_id: int | None
    attributes: list[int] | None
    reason: str
    origin_key: str
    body: bytes
    size_bytes: int
    headers: dict[str, str]
    raw_headers: list[tuple[str, str]] | None
    properties: dict[str, str]
    key: str | None
    topic: str
    read_from: str
    partition: int | None
    offset: str
    event_id: str | None
    event_type: str | None
    event_version: str | None
    correlation_id: str | None
    causation_id: str | None
    event_source: str | None
    failed_in: str
    error_class: str
    error_message: str
    stack: str
    attempts: int
    failed_at: datetime


# One JSON text for all rows: a third of the time that as many arrays take to be quoted and parsed.
INSERT = """
    WITH inserted AS (INSERT INTO dlq_deadletter (
        source_id, status, recorded_at, returns, closed_by, closed_note, group_id,
        own_group_id, attributes, reason, origin_key, body,
        size_bytes, headers, raw_headers, properties, key, topic, read_from, partition, "offset", event_id,
        event_type, event_version, correlation_id, causation_id, event_source, failed_in, error_class,
        error_message, stack, attempts,
        first_failed_at, last_failed_at
    )
    SELECT %s, 'open', %s, 0, '', '', group_id, own_group_id, attributes, reason, origin_key, decode(body, 'base64'),
        size_bytes, headers, raw_headers, properties, key, topic, read_from, partition, "offset", event_id,
        event_type, event_version, correlation_id, causation_id, event_source, failed_in, error_class,
        error_message, stack, attempts,
        failed_at, failed_at
    FROM json_to_recordset(%s::json) AS letter (
        group_id bigint, own_group_id bigint, attributes bigint[], reason text,
        origin_key text, body text, size_bytes bigint, headers jsonb,
        raw_headers jsonb, properties jsonb, key text, topic text, read_from text, partition int, "offset" text,
        event_id text, event_type text, event_version text, correlation_id text, causation_id text,
        event_source text, failed_in text, error_class text, error_message text,
        stack text, attempts int, failed_at timestamptz
    )
    ON CONFLICT (origin_key) DO NOTHING
    RETURNING group_id, last_failed_at)
    SELECT group_id, count(*), max(last_failed_at) FROM inserted GROUP BY group_id
"""


def _row(letter: NewLetter, place: Place, now: datetime) -> _Row:
    message, event = letter.message, letter.event
    return _Row(
        group_id=place.group,
        own_group_id=place.own_group,
        attributes=letter.attributes,
        reason=letter.reason.value,
        origin_key=indexable(message.origin_key) or "",
        body=message.body,
        size_bytes=len(message.body),
        headers={storable(name): storable(value) for name, value in message.headers.items()},
        raw_headers=[(storable(name), storable(value)) for name, value in message.raw_headers] or None,
        properties={
            storable(name): storable(value)
            for name, value in {**message.properties, **letter.properties}.items()
        },
        key=storable_or_none(message.key),
        topic=storable(message.topic if letter.topic is None else letter.topic),
        read_from=storable(message.topic),
        partition=message.partition if letter.topic is None else letter.partition,
        offset=storable(message.offset),
        event_id=letter.event_id,
        event_type=storable_or_none(event.event_type if event else None),
        event_version=storable_or_none(event.event_version if event else None),
        correlation_id=indexable(event.correlation_id if event else None),
        causation_id=storable_or_none(event.causation_id if event else None),
        event_source=storable_or_none(event.source if event else None),
        failed_in=storable(letter.failed_in),
        error_class=storable(letter.error_class),
        error_message=storable(letter.error_message),
        stack=storable(letter.stack),
        attempts=letter.attempts,
        failed_at=letter.failed_at or now,
    )
