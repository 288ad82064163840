"""Writing down every letter of a job before any is sent: marked with a retry, or skipped with the reason.

A chunk at a time, each in a transaction of its own, so that a selection of a million letters neither holds a page up
nor is forgotten by a crash. What a letter's state is decides the database at that moment, by its own constraint.
"""

from django.db import connection, transaction
from django.utils import timezone

from dlq.jobs import lease
from dlq.jobs.batches import array
from dlq.jobs.options import Options
from dlq.jobs.selection import Selection
from dlq.models import RetryJob, Status
from dlq.retry import NO_WORD_AFTER

CHUNK = 10_000


@transaction.atomic
def mark_some(job: RetryJob, selection: Selection, options: Options) -> bool:
    """Mark the next letters; True when there are no more. Raises LeaseLost."""
    current = lease.lock(job)
    found = _next(current, selection, options)
    letters = [letter_id for letter_id, _ in found]
    if letters:
        _let_go([letter_id for letter_id, status in found if status == Status.SENT])
        marked = _mark(current, letters, options)
        current.marked_count += marked
        current.skipped += _skip(current, letters) if marked < len(letters) else 0
        current.marked_letter_id = letters[-1]
    is_done = len(letters) < CHUNK or _is_full(current, options)
    current.save(update_fields=["marked_count", "skipped", "marked_letter_id"])
    job.marked_count, job.skipped, job.marked_letter_id = (
        current.marked_count,
        current.skipped,
        current.marked_letter_id,
    )
    return is_done


def _next(job: RetryJob, selection: Selection, options: Options) -> list[tuple[int, str]]:
    """The next letters of the selection, each with its status."""
    room = CHUNK if options.stop_at is None else min(CHUNK, options.stop_at - job.marked_count)
    found = selection.queryset().filter(pk__gt=job.marked_letter_id, pk__lte=job.last_letter_id)
    return list(found.order_by("pk").values_list("pk", "status")[:room])


def _is_full(job: RetryJob, options: Options) -> bool:
    return options.stop_at is not None and job.marked_count >= options.stop_at


def _let_go(sent: list[int]) -> None:
    """Nobody waits any longer for the outcome of those of these letters that were not heard of for long."""
    if not sent:
        return
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE dlq_retry retry SET state = 'no_word', finished_at = %s FROM dlq_deadletter letter
            WHERE letter.id = ANY(%s::bigint[]) AND letter.status = 'sent' AND letter.sent_at < %s
              AND retry.letter_id = letter.id AND retry.state = 'published'
            """,
            [now, array(sent), now - NO_WORD_AFTER],
        )


def _mark(job: RetryJob, letters: list[int], options: Options) -> int:
    """A retry for each of these letters that is open, or was sent and `_let_go`; how many."""
    key = {"": "''", "correlation_id": "letter.correlation_id", "message_key": "letter.key"}[options.pace_key]
    with connection.cursor() as cursor:
        # In the order of ids, so that two jobs over the same letters wait for each other and never in a ring.
        cursor.execute(
            f"""
            INSERT INTO dlq_retry
                (job_id, letter_id, attempt, state, pace_key, destination, requested_by, requested_at, sends, error)
            SELECT %s, letter.id,
                   greatest(letter.attempts, coalesce(
                       (SELECT max(attempt) FROM dlq_retry earlier WHERE earlier.letter_id = letter.id), 0
                   )) + 1,
                   'claimed', coalesce({key}, ''), '', %s, %s, 0, ''
            FROM dlq_deadletter letter
            WHERE letter.id = ANY(%s::bigint[]) AND letter.status IN ('open', 'sent')
            ORDER BY letter.id
            ON CONFLICT (letter_id) WHERE finished_at IS NULL DO NOTHING
            """,  # noqa: S608 - one of three names above
            [job.pk, job.requested_by, timezone.now(), array(letters)],
        )
        return int(cursor.rowcount)


def _skip(job: RetryJob, letters: list[int]) -> int:
    """Say of each of these letters that has no retry in this job why not; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dlq_skippedletter (job_id, letter_id, why, other_job_id)
            SELECT %(job)s, letter.id,
                   CASE WHEN letter.status IN ('resolved', 'discarded') THEN letter.status
                        WHEN alive.state = 'claimed' THEN 'in_job' ELSE 'awaited' END,
                   alive.job_id
            FROM dlq_deadletter letter
            LEFT JOIN dlq_retry alive ON alive.letter_id = letter.id AND alive.state IN ('claimed', 'published')
            WHERE letter.id = ANY(%(letters)s::bigint[]) AND NOT EXISTS (
                SELECT FROM dlq_retry mine WHERE mine.letter_id = letter.id AND mine.job_id = %(job)s
            )
            ON CONFLICT (job_id, letter_id) DO NOTHING
            """,
            {"job": job.pk, "letters": array(letters)},
        )
        return int(cursor.rowcount)
