"""What became of each letter of a job: a page at a time, or all of them for a table."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from django.db import connection

from dlq.models import RetryJob, RetryState, SkipReason

Tone = Literal["ok", "busy", "broken", "unknown"]
CHUNK = 2_000

WORDS: dict[str, tuple[Tone, str]] = {
    "claimed": ("unknown", "waits"),
    "in_flight": ("busy", "being sent"),
    RetryState.PUBLISHED: ("busy", "sent"),
    RetryState.SUCCEEDED: ("ok", "succeeded"),
    RetryState.FAILED_AGAIN: ("broken", "came back"),
    RetryState.NOT_PUBLISHED: ("broken", "not sent"),
    RetryState.UNCERTAIN: ("busy", "maybe sent"),
    RetryState.NO_WORD: ("unknown", "no word"),
    RetryState.WITHDRAWN: ("unknown", "withdrawn"),
    "skipped": ("unknown", "left alone"),
}


class Result(msgspec.Struct, frozen=True):
    """One letter of a job."""

    letter_id: int
    event_type: str
    # One of RetryState, or "in_flight", "skipped".
    outcome: str
    detail: str
    destination: str
    attempt: int | None
    # Published more than once, or maybe: a worker died while it sent it.
    sends: int
    at: datetime | None
    retry_id: int | None

    @property
    def tone(self) -> Tone:
        """The colour of its outcome."""
        return WORDS[self.outcome][0]

    @property
    def word(self) -> str:
        """Its outcome, in a word."""
        return WORDS[self.outcome][1]


# The last retry and the last letter that were read: both grow together.
Place = tuple[int, int]
BEGINNING: Place = (0, 0)
COLUMNS = """
    retry.letter_id,
    CASE WHEN state = 'claimed' AND (publish_started_at IS NOT NULL OR id = ANY(
        (SELECT in_flight || confirmed FROM dlq_retryjob WHERE id = retry.job_id)::bigint[]
    )) THEN 'in_flight' ELSE state END AS outcome,
    error AS detail, destination, attempt, sends::int,
    coalesce(finished_at, published_at, publish_started_at) AS at, retry.id AS retry_id
"""


def page(job: RetryJob, limit: int, after: Place = BEGINNING) -> list[Result]:
    """The next results in the order of the letters' ids. Indexes retry_of_job, skipped_once."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT found.letter_id, coalesce(letter.event_type, ''), outcome, detail, destination, attempt, sends, at,
                   retry_id
            FROM (
                (SELECT {COLUMNS} FROM dlq_retry retry
                 WHERE job_id = %(job)s AND id > %(after_retry)s ORDER BY id LIMIT %(limit)s)
                UNION ALL
                (SELECT letter_id, 'skipped', why || ':' || coalesce(other_job_id::text, ''), '', NULL, 0, NULL, NULL
                 FROM dlq_skippedletter
                 WHERE job_id = %(job)s AND letter_id > %(after_letter)s ORDER BY letter_id LIMIT %(limit)s)
            ) found JOIN dlq_deadletter letter ON letter.id = found.letter_id
            ORDER BY found.letter_id LIMIT %(limit)s
            """,  # noqa: S608 - put together from constants
            {"job": job.pk, "after_retry": after[0], "after_letter": after[1], "limit": limit},
        )
        return [_in_words(Result(*row)) for row in cursor.fetchall()]


def place_after(rows: Sequence[Result], before: Place = BEGINNING) -> Place:
    """Where the page after `rows`, which followed `before`, begins."""
    retries = [row.retry_id for row in rows if row.retry_id is not None]
    return (max(retries, default=before[0]), rows[-1].letter_id) if rows else before


def failures(job: RetryJob, limit: int) -> list[Result]:
    """The letters that came back or did not get out, the latest first: what a person looks for while a job runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT letter_id, coalesce(letter.event_type, ''), outcome, detail, destination, found.attempt, sends, at,
                   retry_id
            FROM (
                SELECT {COLUMNS} FROM dlq_retry retry
                WHERE job_id = %s AND state IN ('failed_again', 'not_published', 'uncertain')
                ORDER BY finished_at DESC, id DESC LIMIT %s
            ) found JOIN dlq_deadletter letter ON letter.id = found.letter_id
            ORDER BY at DESC, retry_id DESC
            """,  # noqa: S608 - put together from constants
            [job.pk, limit],
        )
        return [Result(*row) for row in cursor.fetchall()]


def everything(job: RetryJob) -> Iterator[Result]:
    """All results, read in chunks."""
    after = BEGINNING
    while rows := page(job, CHUNK, after):
        yield from rows
        after = place_after(rows, after)


def _in_words(result: Result) -> Result:
    if result.outcome != "skipped":
        return result
    why, _, other = result.detail.partition(":")
    words = SkipReason(why).label
    if other:
        words = words.replace("another retry job", f"retry job {other}")
    return msgspec.structs.replace(result, detail=words)
