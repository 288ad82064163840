"""Which letters of a job go next: in their order, spaced out by key, or one after the other within a key."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from dlq.jobs import batches
from dlq.jobs.options import Options
from dlq.jobs.pacing import Candidate, KeyPace
from dlq.models import RetryJob, RetryState

# Of letters that are spaced out, so many times a batch are looked at to fill it with different keys.
LOOKED_AT = 4
# Letters that nothing can be sent of now are looked at again after this.
LOOK_AGAIN_S = 0.5
HELD_AT_ONCE = 5_000


class Picker:
    """Picks for the one worker that drives a job."""

    def __init__(self, job: RetryJob, options: Options) -> None:
        self._options = options
        self._last_id = 0
        self._pace: KeyPace | None = None
        if options.cap is not None:
            interval = timedelta(seconds=options.cap_interval_s)
            self._pace = KeyPace(options.cap, interval)
            for at, key in _sent_since(job, interval):
                self._pace.note([key], at)

    def pick(self, job: RetryJob, limit: int) -> list[Candidate]:
        """The next letters, `limit` at most. None: no letter waits, or all that wait are held back for now."""
        if self._options.in_order:
            _leave_those_behind_a_failure(job)
            found = _next_of_each_key(job, self._options.ramp_wait_s, limit)
        elif self._pace is None:
            found = batches.waiting(job, limit, self._last_id)
            if found:
                self._last_id = found[-1].retry_id
            return found
        else:
            full = self._pace.full(timezone.now())
            found = batches.waiting(job, limit * LOOKED_AT, without_keys=full)
        return found if self._pace is None else self._pace.choose(found, timezone.now())[:limit]

    def begun(self, candidates: Sequence[Candidate]) -> None:
        """These go out now."""
        if self._pace is not None:
            self._pace.note([candidate.key for candidate in candidates], timezone.now())

    def begin_anew(self, after_id: int = 0) -> None:
        """Letters before the last picked one wait again."""
        self._last_id = after_id

    def wait_s(self) -> float:
        """How long until what is held back may go; 0 when nothing is held back by this job's pace."""
        if self._pace is not None and (free_at := self._pace.free_at(timezone.now())):
            return max(LOOK_AGAIN_S, (free_at - timezone.now()).total_seconds())
        return LOOK_AGAIN_S if self._options.in_order else 0.0


def _sent_since(job: RetryJob, interval: timedelta) -> list[tuple[datetime, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT publish_started_at, pace_key FROM dlq_retry
            WHERE job_id = %s AND pace_key <> '' AND publish_started_at > %s ORDER BY publish_started_at
            """,
            [job.pk, timezone.now() - interval],
        )
        return list(cursor.fetchall())


def _next_of_each_key(job: RetryJob, settled_after_s: int, limit: int) -> list[Candidate]:
    """The first waiting letter of each key of which none is under way: sent, and neither succeeded nor old enough."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH first AS (
                SELECT DISTINCT ON (CASE WHEN pace_key = '' THEN id::text ELSE 'key ' || pace_key END)
                       id, letter_id, pace_key
                FROM dlq_retry
                WHERE job_id = %(job)s AND state = 'claimed' AND publish_started_at IS NULL
                ORDER BY CASE WHEN pace_key = '' THEN id::text ELSE 'key ' || pace_key END, id
            ), under_way AS (
                SELECT pace_key FROM dlq_retry
                WHERE job_id = %(job)s AND pace_key <> ''
                  AND (state = 'published' AND published_at > %(since)s
                       OR state = 'claimed' AND publish_started_at IS NOT NULL)
            )
            SELECT first.id, first.pace_key, letter.size_bytes
            FROM first JOIN dlq_deadletter letter ON letter.id = first.letter_id
            WHERE first.pace_key NOT IN (SELECT pace_key FROM under_way)
            ORDER BY first.id LIMIT %(limit)s
            """,
            {
                "job": job.pk,
                "since": timezone.now() - timedelta(seconds=settled_after_s),
                "limit": limit,
            },
        )
        return [Candidate(*row) for row in cursor.fetchall()]


def _leave_those_behind_a_failure(job: RetryJob) -> None:
    """Give back the letters whose key has one before them that came back or did not get out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT held.id, failed.letter_id
            FROM (
                SELECT DISTINCT ON (pace_key) pace_key, letter_id FROM dlq_retry
                WHERE job_id = %(job)s AND pace_key <> ''
                  AND state IN ('failed_again', 'not_published', 'uncertain')
                ORDER BY pace_key, id
            ) failed JOIN dlq_retry held ON held.pace_key = failed.pace_key
            WHERE held.job_id = %(job)s AND held.state = 'claimed' AND held.publish_started_at IS NULL
            LIMIT %(limit)s
            """,
            {"job": job.pk, "limit": HELD_AT_ONCE},
        )
        held = dict(cursor.fetchall())
    if held:
        why = "Letter #{}, which comes before it in its trace, did not get through; this one stays in its place."
        batches.finish({pk: why.format(letter) for pk, letter in held.items()}, RetryState.WITHDRAWN)
