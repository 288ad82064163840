"""A job's letters by what became of them: counted in one statement, kept on the job for whoever looks."""

from datetime import datetime, timedelta

import msgspec
from django.db import connection
from django.utils import timezone

from dlq.models import RetryJob, RetryState
from dlq.retry import NO_WORD_AFTER

# Who looks more often sees the same numbers.
FRESH_FOR = timedelta(seconds=1)


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many of a job's letters are in which state."""

    waiting: int = 0
    # Begun, and not known to be out: what a worker is publishing now, or was when it died.
    in_flight: int = 0
    awaited: int = 0
    # Of the awaited ones: sent so long ago that nobody expects a word any more.
    silent: int = 0
    succeeded: int = 0
    returned: int = 0
    no_word: int = 0
    not_published: int = 0
    uncertain: int = 0
    withdrawn: int = 0
    # Published more than once, or maybe: a worker died while it sent them.
    resent: int = 0

    @property
    def sent(self) -> int:
        """How many went out."""
        return self.awaited + self.succeeded + self.returned + self.no_word

    @property
    def total(self) -> int:
        """How many the job has marked."""
        return (
            self.waiting + self.in_flight + self.sent + self.not_published + self.uncertain + self.withdrawn
        )

    @property
    def settled(self) -> int:
        """How many have their outcome."""
        return self.total - self.waiting - self.in_flight - self.awaited


def read_tally(job: RetryJob) -> Tally:
    """The tally as it stands on the job."""
    return msgspec.convert(job.tally, Tally)


def count(job_id: int) -> Tally:
    """Count now. One statement; index retry_of_job."""
    return _count(job_id, None)


def count_since(job_id: int, begun_at: datetime) -> Tally:
    """Count only those that were begun at `begun_at` or later."""
    return _count(job_id, begun_at)


def _count(job_id: int, begun_at: datetime | None) -> Tally:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT state, count(*),
                   count(*) FILTER (WHERE state = 'claimed' AND NOT (publish_started_at IS NULL AND begun.id IS NULL)),
                   count(*) FILTER (WHERE sends > 1),
                   count(*) FILTER (WHERE state = 'published' AND published_at < %s)
            FROM dlq_retry retry LEFT JOIN (
                SELECT unnest(in_flight || confirmed) AS id FROM dlq_retryjob WHERE id = %s
            ) begun USING (id)
            WHERE job_id = %s AND (%s::timestamptz IS NULL OR publish_started_at >= %s)
            GROUP BY state
            """,
            [timezone.now() - NO_WORD_AFTER, job_id, job_id, begun_at, begun_at],
        )
        rows = cursor.fetchall()
    by_state = {row[0]: row[1] for row in rows}
    in_flight = sum(row[2] for row in rows)
    return Tally(
        waiting=by_state.get(RetryState.CLAIMED, 0) - in_flight,
        in_flight=in_flight,
        awaited=by_state.get(RetryState.PUBLISHED, 0),
        silent=sum(row[4] for row in rows),
        succeeded=by_state.get(RetryState.SUCCEEDED, 0),
        returned=by_state.get(RetryState.FAILED_AGAIN, 0),
        no_word=by_state.get(RetryState.NO_WORD, 0),
        not_published=by_state.get(RetryState.NOT_PUBLISHED, 0),
        uncertain=by_state.get(RetryState.UNCERTAIN, 0),
        withdrawn=by_state.get(RetryState.WITHDRAWN, 0),
        resent=sum(row[3] for row in rows),
    )


def refresh(job: RetryJob) -> Tally:
    """Count and keep it on the job."""
    tally = count(job.pk)
    job.tally, job.tallied_at = msgspec.to_builtins(tally), timezone.now()
    RetryJob.objects.filter(pk=job.pk).update(tally=job.tally, tallied_at=job.tallied_at)
    return tally


def current(job: RetryJob) -> Tally:
    """The tally, at most `FRESH_FOR` old unless nothing can change it any more. A thousand lookers cost one count."""
    tally = read_tally(job)
    if job.is_over and job.tallied_at and tally.settled == tally.total:
        return tally
    now = timezone.now()
    is_mine = (
        RetryJob.objects.filter(pk=job.pk).exclude(tallied_at__gt=now - FRESH_FOR).update(tallied_at=now)
    )
    return refresh(job) if is_mine else tally
