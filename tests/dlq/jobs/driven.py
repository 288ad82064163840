"""Jobs of a few letters, driven step by step, and what became of them."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from dlq import intake, outcomes
from dlq.headers import RETRY_OF
from dlq.jobs import driving, lease, starting
from dlq.jobs.options import Options
from dlq.jobs.selection import of_letters
from dlq.models import (
    DeadLetter,
    RetryJob,
)
from eventhub.brokers.models import Source
from eventhub.events.receipts import Receipt
from tests.dlq.letters import service_failure
from tests.dlq.sending import ANNA

Died = Callable[..., list[DeadLetter]]


def ids(letters: Sequence[DeadLetter]) -> list[int]:
    return [letter.pk for letter in letters]


def at_target(redis: Any, stream: str = "shop.orders") -> list[int]:
    """The letters whose messages are in the stream, in its order."""
    return [int(entry[RETRY_OF.encode()]) for _, entry in redis.xrange(stream)]


def start(letters: Sequence[DeadLetter], **options: Any) -> RetryJob:
    """Make a job, and leave it to a worker."""
    return starting.start(of_letters(ids(letters)), ANNA, Options(**{"rate_per_s": 100_000} | options))


def come_back(source: Source, letter: DeadLetter) -> None:
    """The service gives up on the letter's retry too."""
    attempt = letter.retries.latest("pk").attempt
    headers = {RETRY_OF: str(letter.pk), "eventhub-attempt": str(attempt)}
    with transaction.atomic():
        intake.record(source, [service_failure(letter.pk, origin_key=f"back-{letter.pk}", headers=headers)])


def succeed(*letters: DeadLetter) -> None:
    """The service reports that it processed these events."""
    receipts = [
        Receipt(
            event_id=letter.event_id or "",
            event_type=letter.event_type,
            service=letter.failed_in,
            succeeded=True,
            duration_s=0.1,
            attempt=4,
            error_class="",
            error_message="",
            will_retry=None,
            at=timezone.now(),
        )
        for letter in letters
    ]
    with transaction.atomic():
        outcomes.observe([], receipts)


def run_until_it_waits(job: RetryJob) -> RetryJob:
    """Drive a job until it has nothing to do for now."""
    if leased := lease.take(job.pk):
        driving.drive(leased, seconds=0.4)
    job.refresh_from_db()
    return job


def due(job: RetryJob) -> RetryJob:
    """Let a job be looked at now rather than in a second."""
    RetryJob.objects.filter(pk=job.pk).update(next_at=timezone.now())
    return job
