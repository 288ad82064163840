"""The steps of one batch, each set-based and durable before the next: begin, published.

To begin a batch is to name it in its job's `in_flight`, and the one before in `confirmed`: one row, however many
letters. What a crash leaves tells by itself what happened. What is named as confirmed is out, and only has to be noted;
what is named as in flight and still claimed may be out; nothing else is. Letters are locked before their retries and in
the order of ids, as ingest locks them when outcomes arrive.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from dlq import counts
from dlq.jobs.pacing import Candidate
from dlq.models import RetryJob, RetryState


class Begun(msgspec.Struct, frozen=True):
    """A retry that was begun: the size of its letter, and how often."""

    retry_id: int
    size_bytes: int
    sends: int


class Posted(msgspec.Struct, frozen=True):
    """A retry that the broker has: its letter, and where it went in words."""

    retry_id: int
    letter_id: int
    destination: str


# The columns of a job that `name` writes.
NAMED = ("in_flight", "confirmed")
LOCK_LETTERS = """
    SELECT letter.id, letter.group_id, letter.status FROM dlq_deadletter letter WHERE letter.id = ANY(%s::bigint[])
    ORDER BY letter.id FOR NO KEY UPDATE
"""


def waiting(
    job: RetryJob, limit: int, after_id: int = 0, without_keys: Sequence[str] = ()
) -> list[Candidate]:
    """The next letters to send, in order. Index retry_of_job, from `after_id` on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT retry.id, pace_key, letter.size_bytes
            FROM (
                SELECT id, letter_id, pace_key FROM dlq_retry
                WHERE job_id = %s AND state = 'claimed' AND id > %s AND publish_started_at IS NULL
                  AND id <> ALL(%s::bigint[]) AND (%s::text[] = '{}' OR pace_key <> ALL(%s::text[]))
                ORDER BY id LIMIT %s
            ) retry JOIN dlq_deadletter letter ON letter.id = retry.letter_id
            ORDER BY retry.id
            """,
            [job.pk, after_id, array(job.in_flight), list(without_keys), list(without_keys), limit],
        )
        return [Candidate(*row) for row in cursor.fetchall()]


def name(job: RetryJob, in_flight: Sequence[int], confirmed: Sequence[int]) -> None:
    """Say on the job's row, which is locked, which retries are in flight from now on, and which are out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dlq_retryjob SET in_flight = %s::bigint[], confirmed = %s::bigint[] WHERE id = %s",
            [array(in_flight), array(confirmed), job.pk],
        )
    job.in_flight, job.confirmed = list(in_flight), list(confirmed)


def still_claimed(retry_ids: Iterable[int]) -> set[int]:
    """Those of these retries that are still to be sent, in none of whose letters anything happened meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM dlq_retry WHERE id = ANY(%s::bigint[]) AND state = 'claimed'", [array(retry_ids)]
        )
        return {row[0] for row in cursor.fetchall()}


def interrupt(retry_ids: Sequence[int]) -> None:
    """Note of a batch in flight that something came between: those that are still claimed may be out.

    Call it in the transaction that takes them out of their job's `in_flight`.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_LETTERS, [array(_letters_of(retry_ids))])
        cursor.execute(
            """
            UPDATE dlq_retry SET sends = sends + 1, publish_started_at = %s
            WHERE id = ANY(%s::bigint[]) AND state = 'claimed'
            """,
            [timezone.now(), array(retry_ids)],
        )


def interrupted(job: RetryJob) -> list[Begun]:
    """Retries that were begun by a worker that died, or over a connection that broke: they may be out or not."""
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


@transaction.atomic
def published(posted: Sequence[Posted], begun_at: datetime) -> None:
    """Note that the broker has these, on the retries and on their letters, unless the outcome came first."""
    places = {words: n for n, words in enumerate(dict.fromkeys(one.destination for one in posted), start=1)}
    letters = array(sorted(one.letter_id for one in posted))
    with connection.cursor() as cursor:
        # A statement of its own: the next one sees what ingest committed while this one waited for its locks.
        cursor.execute(f"SELECT count(*) FROM ({LOCK_LETTERS}) locked", [letters])  # noqa: S608 - a constant
        cursor.execute(
            """
            WITH noted AS (
                UPDATE dlq_retry retry
                SET state = CASE WHEN state IN ('claimed', 'uncertain') THEN 'published' ELSE state END,
                    finished_at = CASE WHEN state IN ('claimed', 'uncertain') THEN NULL ELSE finished_at END,
                    error = CASE WHEN state IN ('claimed', 'uncertain') THEN '' ELSE error END,
                    published_at = coalesce(published_at, %(now)s), publish_started_at = %(begun_at)s,
                    sends = sends + 1, destination = (%(places)s::text[])[sent.place]
                FROM unnest(%(ids)s::bigint[], %(of)s::int[]) AS sent (id, place)
                WHERE retry.id = sent.id
                RETURNING retry.letter_id, retry.state
            ), before AS (
                SELECT id, status FROM dlq_deadletter WHERE id = ANY(%(letters)s::bigint[])
            ), marked AS (
                UPDATE dlq_deadletter letter SET status = 'sent', sent_at = %(now)s
                FROM noted JOIN before ON before.id = noted.letter_id
                WHERE letter.id = noted.letter_id AND noted.state = 'published'
                  AND letter.id = ANY(%(letters)s::bigint[]) AND letter.status IN ('open', 'sent')
                RETURNING letter.group_id, before.status
            )
            SELECT group_id, count(*) FROM marked WHERE status = 'open' GROUP BY group_id
            """,
            {
                "now": timezone.now(),
                "begun_at": begun_at,
                "places": list(places),
                "ids": array(one.retry_id for one in posted),
                "of": array(places[one.destination] for one in posted),
                "letters": letters,
            },
        )
        counts.add({group_id: counts.Change(open=-count) for group_id, count in cursor.fetchall()})


@transaction.atomic
def finish(
    reasons: Mapping[int, str], state: RetryState, destinations: Mapping[int, str] | None = None
) -> None:
    """Claimed retries that end unsent (or that may be out: UNCERTAIN), each with the reason; their letters are open.

    `destinations`: where they were to go, of those that got so far.
    """
    ids, places = sorted(reasons), destinations or {}
    with connection.cursor() as cursor:
        cursor.execute(LOCK_LETTERS, [array(_letters_of(ids))])
        before = {letter_id: (group_id, status) for letter_id, group_id, status in cursor.fetchall()}
        cursor.execute(
            """
            UPDATE dlq_retry retry
            SET state = %s, finished_at = %s, error = ended.reason, destination = coalesce(ended.place, destination)
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS ended (id, reason, place)
            WHERE retry.id = ended.id AND retry.state = 'claimed'
            RETURNING retry.letter_id
            """,
            [
                state.value,
                timezone.now(),
                ids,
                [reasons[pk].replace("\x00", "␀")[:1000] for pk in ids],
                [places.get(pk) for pk in ids],
            ],
        )
        letters = [row[0] for row in cursor.fetchall()]
        # A letter that was sent before, was not heard of, and did not get out this time: somebody's to look at.
        cursor.execute(
            "UPDATE dlq_deadletter SET status = 'open' WHERE id = ANY(%s::bigint[]) AND status = 'sent'",
            [array(letters)],
        )
    back = Counter(
        group_id for group_id, status in (before[letter_id] for letter_id in letters) if status == "sent"
    )
    counts.add({group_id: counts.Change(open=count) for group_id, count in back.items()})


@transaction.atomic
def withdraw(job: RetryJob, why: str, limit: int) -> int:
    """Give back letters that were not begun; how many. Call it again while that is `limit`."""
    ids = [candidate.retry_id for candidate in waiting(job, limit)]
    if ids:
        finish(dict.fromkeys(ids, why), RetryState.WITHDRAWN)
    return len(ids)


def _letters_of(retry_ids: Iterable[int]) -> list[int]:
    """The letters of these retries, in the order in which they are locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter_id FROM dlq_retry WHERE id = ANY(%s::bigint[]) ORDER BY letter_id",
            [array(retry_ids)],
        )
        return [row[0] for row in cursor.fetchall()]


def array(numbers: Iterable[int]) -> str:
    """An array as PostgreSQL writes it: a tenth of the time that the driver takes to write a list."""
    return f"{{{','.join(map(str, numbers))}}}"
