"""Where messages become dead letters. Called by ingest, in the transaction that stores the rest of their batch.

A letter is written once, however often its message is delivered. A retried message that dies again does not become
a letter of its own: it reopens the one that it was sent for (``dlq/returns.py``).
"""

from collections.abc import Iterator, Sequence

from django.utils import timezone

from dlq import counts, regressions, returns, writing
from dlq.groups import places
from dlq.letter import NewLetter, fingerprint_of
from dlq.preparing import prepared
from eventhub.brokers.models import Source

__all__ = ["NewLetter", "record"]

# A statement is built in memory, more than twice as large as the bodies: this much of them goes into one.
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
    changes = {
        group_id: counts.Change(failures=count, letters=count, open=count, last_failed_at=failed_at)
        for group_id, count, failed_at in writing.write(source.pk, letters, found, timezone.now())
    }
    counts.add(changes)
    if any(place.is_fixed for place in found):
        regressions.notice(changes)
    return sum(change.letters for change in changes.values())
