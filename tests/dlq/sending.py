"""Sending letters again, as the tests need it: without a worker, by driving the job here."""

from typing import Any

from dlq.jobs import driving, lease, starting
from dlq.jobs.options import read_options
from dlq.jobs.selection import of_letters
from dlq.models import RetryJob, RetryState
from eventhub.access.audit import Actor

ANNA = Actor("anna")


def send_again(*letter_ids: int, actor: Actor = ANNA, **options: Any) -> RetryJob:
    """Start a job of these letters and drive it as far as it goes by itself."""
    return run(starting.start(of_letters(letter_ids), actor, read_options(options)))


def run(job: RetryJob) -> RetryJob:
    """Drive a job until it waits for something or is over."""
    while leased := lease.take(job.pk):
        driving.drive(leased, seconds=20)
    job.refresh_from_db()
    return job


def sent(job: RetryJob) -> list[int]:
    """The letters that the job has sent, by what the rows say."""
    states = [RetryState.PUBLISHED, RetryState.SUCCEEDED, RetryState.FAILED_AGAIN, RetryState.NO_WORD]
    return sorted(job.retries.filter(state__in=states).values_list("letter_id", flat=True))


def refused(*letter_ids: int, actor: Actor = ANNA) -> str:
    """Why none of these letters can be sent."""
    try:
        starting.start(of_letters(letter_ids), actor)
    except starting.NothingToSend as error:
        return str(error)
    raise AssertionError("it was sent")
