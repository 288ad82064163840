"""What people do to a job that runs: pause, resume, cancel; and what its letters may do meanwhile."""

from typing import Any

import pytest
from django.utils import timezone

from dlq import closing, routes
from dlq.jobs import controlling
from dlq.jobs.tally import read_tally
from dlq.models import (
    DeadLetter,
    JobState,
    Retry,
    RetryJob,
    SkippedLetter,
    Status,
)
from dlq.retry import NotNow
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source
from tests.dlq.jobs.driven import Died, at_target, ids, run_until_it_waits, start
from tests.dlq.sending import ANNA, run, send_again, sent

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_paused_job_sends_nothing_until_it_is_resumed(died: Died, redis: Any) -> None:
    letters = died(4)
    job = start(letters)
    controlling.pause(job.pk, ANNA)
    assert run(job).state == JobState.PAUSED
    assert at_target(redis) == []
    with pytest.raises(NotNow, match="paused already"):
        controlling.pause(job.pk, ANNA)

    controlling.resume(job.pk, ANNA)
    assert run(job).state == JobState.DONE
    assert at_target(redis) == ids(letters)
    with pytest.raises(NotNow, match="Only a paused or scheduled job"):
        controlling.resume(job.pk, ANNA)
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["retry", "pause", "resume"]


def test_a_cancelled_job_gives_its_letters_back(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlling, "RELEASED_AT_ONCE", 3)
    letters = died(8)
    job = run_until_it_waits(start(letters, canary=1))
    controlling.cancel(job.pk, ANNA)
    job = run(job)
    assert (job.state, job.is_finished, job.reason) == (JobState.CANCELLED, True, "Cancelled by anna.")
    tally = read_tally(job)
    assert (tally.awaited, tally.withdrawn, tally.total) == (1, 7, 8)
    assert sent(send_again(*ids(letters[1:]))) == ids(letters[1:])
    with pytest.raises(NotNow, match="cancelled already"):
        controlling.cancel(job.pk, ANNA)


def test_a_cancelled_job_leaves_what_was_in_flight_to_people(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(2)

    def die(source: Source, messages: Any) -> None:
        raise SystemExit("killed")

    monkeypatch.setitem(routes._registered, Kind.REDIS, die)
    with pytest.raises(SystemExit):
        send_again(*ids(letters))
    monkeypatch.undo()
    job = RetryJob.objects.get()
    RetryJob.objects.update(lease_until=timezone.now())
    controlling.cancel(job.pk, ANNA)

    job = run(job)

    assert at_target(redis) == []
    assert read_tally(job).uncertain == 2
    assert "the job was cancelled since" in Retry.objects.all()[0].error
    assert DeadLetter.objects.filter(status=Status.OPEN).count() == 2


def test_a_letter_in_a_job_cannot_be_discarded_until_the_job_is_cancelled(died: Died, redis: Any) -> None:
    [letter] = died(1)
    job = start([letter])
    refusal = closing.discard([letter.pk], "test data", ANNA).refused[0].why
    assert refusal == f"It waits in retry job {job.pk}, for anna. Cancel that job first."
    controlling.cancel(job.pk, ANNA)
    assert closing.discard([letter.pk], "test data", ANNA).done == [letter.pk]


def test_a_skipped_letter_is_told_once_however_often_its_chunk_is_marked(died: Died, redis: Any) -> None:
    letters = died(2)
    send_again(letters[0].pk)
    job = start(letters)
    RetryJob.objects.filter(pk=job.pk).update(marked_letter_id=0, is_marked=False)
    run(job)
    assert SkippedLetter.objects.filter(job=job).count() == 1
    assert at_target(redis) == ids(letters)
