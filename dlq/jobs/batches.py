"""The steps of one batch, each set-based and durable before the next: pick, begin, published, letters sent.

What a crash leaves tells by itself what happened. Claimed and not begun: surely not sent. Begun and not marked as
published: it may be out; that is the batch in flight, and the only one. Locks are taken in the order of ids, as
ingest takes them when outcomes arrive.
"""

from collections.abc import Mapping, Sequence

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from dlq import counts
from dlq.jobs.pacing import Candidate
from dlq.models import RetryJob, RetryState

MOST_FORGOTTEN = 2_000


class Begun(msgspec.Struct, frozen=True):
    """A retry that was begun: the size of its letter, and how often."""

    retry_id: int
    size_bytes: int
    sends: int


LOCK_RETRIES = "SELECT FROM dlq_retry WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
LOCK_LETTERS = """
    SELECT FROM dlq_deadletter letter WHERE letter.id IN (SELECT letter_id FROM dlq_retry WHERE id = ANY(%s))
    ORDER BY letter.id FOR NO KEY UPDATE
"""


def waiting(
    job: RetryJob, limit: int, after_id: int = 0, without_keys: Sequence[str] = ()
) -> list[Candidate]:
    """The next letters to send, in order. Index retry_to_send."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT retry.id, pace_key, letter.size_bytes
            FROM (
                SELECT id, letter_id, pace_key FROM dlq_retry
                WHERE job_id = %s AND state = 'claimed' AND id > %s AND publish_started_at IS NULL
                  AND (%s::text[] = '{}' OR pace_key <> ALL(%s::text[]))
                ORDER BY id LIMIT %s
            ) retry JOIN dlq_deadletter letter ON letter.id = retry.letter_id
            ORDER BY retry.id
            """,
            [job.pk, after_id, list(without_keys), list(without_keys), limit],
        )
        return [Candidate(*row) for row in cursor.fetchall()]


def in_flight(job: RetryJob) -> list[Begun]:
    """Retries that were begun and not marked as published: what a worker that died may have sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT retry.id, letter.size_bytes, retry.sends
            FROM dlq_retry retry JOIN dlq_deadletter letter ON letter.id = retry.letter_id
            WHERE retry.job_id = %s AND retry.state = 'claimed' AND retry.publish_started_at IS NOT NULL
            ORDER BY retry.id
            """,
            [job.pk],
        )
        return [Begun(*row) for row in cursor.fetchall()]


def advance(published: Sequence[int], destinations: Mapping[int, str]) -> set[int]:
    """One batch is out, the next one begins: one commit for both, so that one batch at most is in flight.

    Notes that the broker has the `published` ones, unless their outcome came first (call `letters_sent` with them
    soon after). Marks the next as begun, each with where it goes, and returns those that may be published; the others
    are not to be: their letter was discarded or resolved, or they were withdrawn. Call it in a transaction that
    holds the job's row.
    """
    out, ids, now = sorted(published), sorted(destinations), timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(LOCK_RETRIES, [[*out, *ids]])
        cursor.execute(
            """
            UPDATE dlq_retry SET state = 'published', published_at = %s, finished_at = NULL, error = ''
            WHERE id = ANY(%s) AND state IN ('claimed', 'uncertain')
            """,
            [now, out],
        )
        cursor.execute(
            """
            UPDATE dlq_retry retry
            SET publish_started_at = %s, sends = retry.sends + 1, destination = begun.destination
            FROM unnest(%s::bigint[], %s::text[]) AS begun (id, destination), dlq_deadletter letter
            WHERE retry.id = begun.id AND retry.state = 'claimed'
              AND letter.id = retry.letter_id AND letter.status IN ('open', 'sent')
            RETURNING retry.id
            """,
            [now, ids, [destinations[pk] for pk in ids]],
        )
        return {row[0] for row in cursor.fetchall()}


def take_back(retry_ids: Sequence[int]) -> None:
    """These were begun and surely not sent: they wait again as if they had not been."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE dlq_retry SET publish_started_at = NULL, sends = sends - 1
            WHERE id = ANY(%s) AND state = 'claimed' AND publish_started_at IS NOT NULL
            """,
            [list(retry_ids)],
        )


@transaction.atomic
def letters_sent(retry_ids: Sequence[int]) -> None:
    """Let the letters of published retries say that they were sent, unless their outcome came first."""
    with connection.cursor() as cursor:
        # Two statements: the second sees what ingest committed while the first waited for its locks.
        cursor.execute(
            LOCK_LETTERS,
            [list(retry_ids)],
        )
        cursor.execute(
            """
            UPDATE dlq_deadletter letter SET status = 'sent', sent_at = retry.published_at
            FROM dlq_retry retry,
                 (SELECT id, status FROM dlq_deadletter
                  WHERE id IN (SELECT letter_id FROM dlq_retry WHERE id = ANY(%(ids)s))) AS before
            WHERE retry.id = ANY(%(ids)s) AND retry.state = 'published' AND letter.id = retry.letter_id
              AND letter.status IN ('open', 'sent') AND before.id = letter.id
            RETURNING letter.group_id, before.status
            """,
            {"ids": list(retry_ids)},
        )
        _count(cursor.fetchall(), was="open", change=-1)


@transaction.atomic
def finish(reasons: Mapping[int, str], state: RetryState) -> None:
    """Claimed retries that end unsent (or that may be out: UNCERTAIN), each with the reason; their letters are open."""
    ids = sorted(reasons)
    with connection.cursor() as cursor:
        cursor.execute(LOCK_LETTERS, [ids])
        cursor.execute(LOCK_RETRIES, [ids])
        cursor.execute(
            """
            UPDATE dlq_retry retry SET state = %s, finished_at = %s, error = ended.reason
            FROM unnest(%s::bigint[], %s::text[]) AS ended (id, reason)
            WHERE retry.id = ended.id AND retry.state = 'claimed'
            RETURNING retry.letter_id
            """,
            [state.value, timezone.now(), ids, [reasons[pk].replace("\x00", "␀")[:1000] for pk in ids]],
        )
        letters = [row[0] for row in cursor.fetchall()]
        # A letter that was sent before, was not heard of, and did not get out this time: somebody's to look at.
        cursor.execute(
            """
            UPDATE dlq_deadletter SET status = 'open' WHERE id = ANY(%s) AND status = 'sent'
            RETURNING group_id, 'sent'
            """,
            [letters],
        )
        _count(cursor.fetchall(), was="sent", change=1)


@transaction.atomic
def withdraw(job: RetryJob, why: str, limit: int) -> int:
    """Give back letters that were not begun; how many. Call it again while that is `limit`."""
    ids = [candidate.retry_id for candidate in waiting(job, limit)]
    if ids:
        finish(dict.fromkeys(ids, why), RetryState.WITHDRAWN)
    return len(ids)


def forgotten(job: RetryJob, limit: int) -> list[int]:
    """Published retries whose letters do not say so: a worker died in between."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT retry.id FROM dlq_retry retry JOIN dlq_deadletter letter ON letter.id = retry.letter_id
            WHERE retry.job_id = %s AND retry.state = 'published' AND letter.status = 'open'
            ORDER BY retry.id LIMIT %s
            """,
            [job.pk, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def _count(rows: Sequence[tuple[int, str]], *, was: str, change: int) -> None:
    changes: dict[int, counts.Change] = {}
    for group_id, before in rows:
        if before == was:
            changes.setdefault(group_id, counts.Change()).open += change
    counts.add(changes)
