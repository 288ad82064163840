"""Celery's doors to what dead letters do by themselves. The rows are the truth; a lost task loses nothing."""

import time

from celery import shared_task

from dlq import counts, regrouping, retention
from dlq.jobs import driving, lease
from eventhub.running.stopping import is_asked

# A job is driven for so long before the next one has its turn, and all of them before other tasks have theirs.
SLICE_S = 5.0
TURN_S = 10.0


@shared_task(name="dlq.drive_jobs")
def drive_jobs() -> None:
    """Drive retry jobs that are due, one after the other."""
    began = time.monotonic()
    while not is_asked() and (job := lease.take()):
        driving.drive(job, SLICE_S)
        if time.monotonic() - began > TURN_S:
            if lease.is_any_due():
                drive_jobs.delay()
            return


@shared_task(name="dlq.merge_counts")
def merge_counts() -> None:
    """Keep the changes of groups' counts few."""
    counts.merge()


@shared_task(name="dlq.settle_rules")
def settle_rules() -> None:
    """Move the letters that new rules about groups are about."""
    regrouping.settle_some(TURN_S)


@shared_task(name="dlq.drop_old")
def drop_old() -> None:
    """Drop letters that were closed long ago, as the settings say."""
    retention.drop_old()
