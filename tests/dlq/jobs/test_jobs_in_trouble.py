"""What is in a job's way: targets and brokers that are gone, outcomes that come early, workers that die."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from dlq import counts, routes
from dlq.jobs import controlling, driving, lease, results, starting
from dlq.jobs.options import Options
from dlq.jobs.selection import of_letters
from dlq.jobs.tally import count, read_tally
from dlq.models import (
    DeadLetter,
    JobState,
    Retry,
    RetryJob,
    RetryState,
    Status,
)
from eventhub.access.models import AuditEntry
from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import OutgoingMessage
from tests.dlq.jobs.driven import Died, at_target, due, ids, run_until_it_waits, start, succeed
from tests.dlq.sending import ANNA, run, send_again

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_target_that_is_gone_leaves_its_letters_open_and_the_rest_goes_on(died: Died, redis: Any) -> None:
    redis.set("shop.orders.v2", "not a stream")
    lost = died(2, headers={"dlq-origin-stream": "shop.orders.v2"})
    homeless = died(1, headers={"dlq-origin-stream": ""})
    good = died(3)

    job = send_again(*ids([*lost, *homeless, *good]))

    assert job.state == JobState.DONE
    assert at_target(redis) == ids(good)
    said = {row.letter_id: row.detail for row in results.failures(job, 10)}
    assert set(said) == set(ids([*lost, *homeless]))
    assert "Redis refused" in said[lost[0].pk]
    assert "does not say where it came from" in said[homeless[0].pk]
    assert {letter.status for letter in DeadLetter.objects.filter(pk__in=said)} == {Status.OPEN}
    assert counts.open_letters().letters == 3


def test_a_broker_that_is_away_is_tried_again_and_then_the_job_pauses(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(driving.SMALL + 5)
    job = starting.start(of_letters(ids(letters)), ANNA, Options(rate_per_s=100_000))
    calls = 0

    def away(source: Source, messages: Sequence[OutgoingMessage]) -> None:
        nonlocal calls
        calls += 1
        raise BrokerError("The broker cannot be reached.")

    monkeypatch.setitem(routes._registered, Kind.REDIS, away)
    monkeypatch.setattr(driving, "MOST_TROUBLES", 2)
    job = run_until_it_waits(job)
    assert (job.state, job.reason) == (JobState.RUNNING, "The broker cannot be reached.")
    job = run(due(job))
    assert job.state == JobState.PAUSED
    assert "The broker cannot be reached. Resume when that is repaired." in job.reason
    assert calls == 2
    monkeypatch.undo()

    controlling.resume(job.pk, ANNA)
    job = run(job)
    assert at_target(redis) == ids(letters)
    assert count(job.pk).resent == len(letters), "they may have been sent before: each says so"
    assert AuditEntry.objects.filter(action="send again").count() == 2


def test_a_broker_that_could_not_be_opened_took_nothing_for_sure(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(driving.SMALL + 5)
    job = starting.start(of_letters(ids(letters)), ANNA, Options(rate_per_s=100_000))

    def closed(source: Source, consumer: str) -> None:
        raise BrokerError("No door.")

    monkeypatch.setattr("dlq.jobs.sending.open_adapter", closed)
    job = run_until_it_waits(job)
    assert count(job.pk).in_flight == 0
    monkeypatch.undo()
    job = run(due(job))
    assert at_target(redis) == ids(letters)
    assert count(job.pk).resent == 0


def test_an_outcome_that_came_before_the_mark_is_kept_in_the_tally(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(3)

    def quick(source: Source, messages: Sequence[OutgoingMessage]) -> None:
        succeed(letters[0])
        raise Refused({1: "too large"})

    monkeypatch.setitem(routes._registered, Kind.REDIS, quick)
    job = send_again(*ids(letters))
    tally = count(job.pk)
    assert (tally.succeeded, tally.not_published, tally.awaited) == (1, 1, 1)
    assert [DeadLetter.objects.get(pk=pk).status for pk in ids(letters)] == ["resolved", "open", "sent"]
    assert counts.open_letters().letters == 1


def test_a_letter_that_was_closed_while_it_waited_is_not_sent(died: Died, redis: Any) -> None:
    letters = died(2)
    job = start(letters)
    succeed(letters[0])
    run(job)
    assert at_target(redis) == [letters[1].pk]
    assert letters[0].retries.get().state == RetryState.SUCCEEDED


def test_a_worker_that_lost_its_lease_stops_and_the_new_one_finishes(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(6)
    job = start(letters, batch_size=2)
    real = driving.Row.begin
    stolen = False

    def steal(*args: Any) -> set[int] | None:
        nonlocal stolen
        begun = real(*args)
        if not stolen:
            stolen = True
            RetryJob.objects.update(lease_token="00000000-0000-0000-0000-000000000001")
        return begun

    monkeypatch.setattr(driving.Row, "begin", steal)
    leased = lease.take(job.pk)
    assert leased
    driving.drive(leased, seconds=5)
    monkeypatch.undo()
    assert at_target(redis) == ids(letters[:2]), "the batch that was begun went out, and nothing after it"
    RetryJob.objects.update(lease_until=timezone.now())

    run(job)

    assert at_target(redis) == ids(letters)
    assert count(job.pk).resent == 0, "the first worker brought its confirmed batch home"


def test_a_worker_that_died_before_it_noted_what_is_out_leaves_that_to_the_next_one(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(25)
    job = starting.start(of_letters(ids(letters)), ANNA, Options(batch_size=10))

    def die(posted: Any, begun_at: Any) -> None:
        raise SystemExit("killed")

    monkeypatch.setattr(driving.batches, "published", die)
    with pytest.raises(SystemExit):
        run(job)
    monkeypatch.undo()
    assert at_target(redis) == ids(letters[:20]), "the second batch was begun before the first was noted"
    tally = count(job.pk)
    assert (tally.in_flight, tally.waiting, tally.sent) == (20, 5, 0)
    RetryJob.objects.update(lease_until=timezone.now())

    job = run(job)

    assert at_target(redis) == ids([*letters[:20], *letters[10:20], *letters[20:]])
    assert read_tally(job).resent == 10, (
        "only what was in flight goes out again: the batch before was confirmed"
    )
    assert AuditEntry.objects.get(action="send again").detail["letters"] == ids(letters[10:20])
    assert {retry.destination for retry in Retry.objects.all()} == {"stream shop.orders (Redis Streams)"}
    assert {retry.state for retry in Retry.objects.all()} == {RetryState.PUBLISHED}
    assert counts.open_letters().letters == 0


def test_an_error_that_nobody_foresaw_leaves_its_batch_to_be_sent_again_and_told(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = died(driving.SMALL + 5)
    job = starting.start(of_letters(ids(letters)), ANNA, Options(batch_size=10))

    def break_down(source: Source, messages: Sequence[OutgoingMessage]) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(routes._registered, Kind.REDIS, break_down)
    job = run_until_it_waits(job)
    assert job.reason.startswith("ZeroDivisionError")
    monkeypatch.undo()
    job = run(due(job))

    assert at_target(redis) == ids(letters)
    assert AuditEntry.objects.get(action="send again").detail["letters"] == ids(letters[:10])
