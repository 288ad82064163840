"""Where messages become dead letters. Called by ingest, in the transaction that stores the rest of their batch.

A letter is written once, however often its message is delivered. A retried message that dies again does not become
a letter of its own: it reopens the one that it was sent for (``dlq/returns.py``).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from django.db import connection
from django.utils import timezone

from dlq import counts, returns
from dlq.groups import group_ids
from dlq.letter import NewLetter, fingerprint_of
from dlq.text import indexable, storable, storable_or_none
from eventhub.brokers.models import Source

__all__ = ["NewLetter", "record"]

# A statement is built in memory, the bodies in hexadecimal: this much of bodies goes into one.
MAX_STATEMENT_BYTES = 32 * 1024 * 1024
MAX_STATEMENT_LETTERS = 5_000


def record(source: Source, letters: Sequence[NewLetter]) -> int:
    """Write the letters that are not there yet; returns how many were new. Call it inside a transaction.

    A handful of statements for each batch, however many letters it holds.
    """
    if not letters:
        return 0
    fresh = returns.take(source, letters)
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
    groups = group_ids(source, [(fingerprint_of(source, letter), letter) for letter in letters])
    now = timezone.now()
    rows = [
        _row(letter, group, now)
        # In one order everywhere, so that two workers given the same messages wait for each other, never in a ring.
        for letter, group in sorted(
            zip(letters, groups, strict=True), key=lambda pair: pair[0].message.origin_key
        )
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [source.pk, now, *map(list, zip(*rows, strict=True))])
        inserted = cursor.fetchall()
    changes: dict[int, counts.Change] = {}
    for group_id, failed_at in inserted:
        change = changes.setdefault(group_id, counts.Change())
        change.failures += 1
        change.letters += 1
        change.open += 1
        change.last_failed_at = max(change.last_failed_at or failed_at, failed_at)
    counts.add(changes)
    return len(inserted)


INSERT = """
    INSERT INTO dlq_deadletter (
        source_id, status, recorded_at, returns, closed_by, closed_note, last_failed_at,
        group_id, reason, origin_key, body, size_bytes, headers, key, topic, read_from, partition, "offset",
        event_id, event_type, event_version, correlation_id, causation_id, event_source,
        failed_in, error_class, error_message, stack, attempts, first_failed_at
    )
    SELECT %s, 'open', %s, 0, '', '', letter.failed_at, letter.*
    FROM unnest(
        %s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::bigint[], %s::jsonb[], %s::text[], %s::text[],
        %s::text[], %s::int[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[]
    ) AS letter (
        group_id, reason, origin_key, body, size_bytes, headers, key, topic, read_from, partition, "offset",
        event_id, event_type, event_version, correlation_id, causation_id, event_source,
        failed_in, error_class, error_message, stack, attempts, failed_at
    )
    ON CONFLICT (origin_key) DO NOTHING
    RETURNING group_id, last_failed_at
"""


def _row(letter: NewLetter, group_id: int, now: datetime) -> tuple[object, ...]:
    message, event = letter.message, letter.event
    return (
        group_id,
        letter.reason.value,
        indexable(message.origin_key),
        message.body,
        len(message.body),
        _json({storable(name): storable(value) for name, value in message.headers.items()}),
        storable_or_none(message.key),
        storable(message.topic if letter.topic is None else letter.topic),
        storable(message.topic),
        message.partition,
        storable(message.offset),
        letter.event_id,
        storable_or_none(event.event_type if event else None),
        storable_or_none(event.event_version if event else None),
        indexable(event.correlation_id if event else None),
        storable_or_none(event.causation_id if event else None),
        storable_or_none(event.source if event else None),
        storable(letter.failed_in),
        storable(letter.error_class),
        storable(letter.error_message),
        storable(letter.stack),
        letter.attempts,
        letter.failed_at or now,
    )


def _json(headers: dict[str, str]) -> str:
    return msgspec.json.encode(headers).decode()
