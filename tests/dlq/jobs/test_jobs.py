"""Jobs from the request to the last letter, against a real broker; each test drives them as a worker does."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from dlq import closing, counts, intake, outcomes, routes
from dlq.filter import Filter
from dlq.headers import RETRY_OF
from dlq.jobs import controlling, driving, lease, marking, results, starting
from dlq.jobs.options import Options
from dlq.jobs.selection import BadSelection, of_filter, of_letters
from dlq.jobs.tally import count, read_tally
from dlq.models import (
    DeadLetter,
    JobState,
    RedirectRule,
    Retry,
    RetryJob,
    RetryState,
    SkippedLetter,
    Status,
)
from dlq.retry import NotNow
from eventhub.access.models import AuditEntry
from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import OutgoingMessage
from eventhub.events.receipts import Receipt
from tests.dlq.letters import service_failure
from tests.dlq.sending import ANNA, run, send_again, sent

pytestmark = pytest.mark.django_db(transaction=True)
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


# -- which letters -----------------------------------------------------------------------------------------


def test_a_filter_marks_all_open_letters_that_fit_and_none_that_come_later(
    died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "CHUNK", 4)
    letters = died(10)
    closing.discard([letters[0].pk], "test data", ANNA)
    job = starting.start(of_filter(Filter(source="shop-dead-letters")), ANNA)
    assert not job.is_marked
    died(3)

    run(job)

    assert at_target(redis) == ids(letters[1:])
    assert (job.marked_count, job.skipped, job.state) == (9, 0, JobState.DONE)
    assert job.title == "all open letters of source shop-dead-letters"
    assert counts.open_letters().letters == 3


def test_letters_that_cannot_go_are_left_alone_and_each_says_why(died: Died, redis: Any) -> None:
    open_, waits, on_its_way, gone = died(4)
    other = start([waits], rate_per_s=0.01)
    controlling.pause(other.pk, ANNA)
    send_again(on_its_way.pk)
    closing.discard([gone.pk], "test data", ANNA)

    job = send_again(open_.pk, waits.pk, on_its_way.pk, gone.pk)

    assert sent(job) == [open_.pk]
    assert {row.letter_id: row.detail for row in results.page(job, 10) if row.outcome == "skipped"} == {
        waits.pk: f"It waits in retry job {other.pk}.",
        on_its_way.pk: "It was sent already, and its outcome is awaited.",
        gone.pk: "It is discarded. Reopen it first.",
    }
    assert at_target(redis) == [on_its_way.pk, open_.pk]


def test_two_jobs_over_the_same_letters_send_each_once(died: Died, redis: Any) -> None:
    letters = died(30)
    first = starting.start(of_filter(Filter(source="shop-dead-letters")), ANNA)
    with pytest.raises(starting.NothingToSend) as refusal:
        starting.start(of_letters(ids(letters)), ANNA)
    assert f"It waits in retry job {first.pk}, for anna." in str(refusal.value)
    [another] = died(1)
    second = starting.start(of_letters([*ids(letters), another.pk]), ANNA, Options(rate_per_s=1_000))
    assert (second.marked_count, second.skipped) == (1, 30)

    run(second)
    run(first)

    assert at_target(redis) == [another.pk, *ids(letters)]


def test_the_same_request_asked_twice_is_one_job(died: Died, redis: Any) -> None:
    [letter] = died(1)
    one = starting.start(of_letters([letter.pk]), ANNA, request_id="click-1")
    two = starting.start(of_letters([letter.pk]), ANNA, request_id="click-1")
    assert one == two
    assert at_target(redis) == [letter.pk]
    assert AuditEntry.objects.filter(action="retry").count() == 1


def test_a_job_stops_at_as_many_as_it_was_told(died: Died, redis: Any) -> None:
    letters = died(5)
    job = run(start(letters, stop_at=2))
    assert at_target(redis) == ids(letters[:2])
    assert (job.marked_count, job.state) == (2, JobState.DONE)
    assert sent(send_again(letters[2].pk)) == [letters[2].pk], "the others are free"


def test_what_nobody_can_mean_is_refused() -> None:
    with pytest.raises(BadSelection, match="At most 10,000"):
        of_letters(range(10_001))
    with pytest.raises(BadSelection, match="Only open letters"):
        of_filter(Filter(status=Status.DISCARDED))


# -- how they are sent -------------------------------------------------------------------------------------


def test_the_canary_goes_first_and_the_rest_when_it_succeeded(died: Died, redis: Any) -> None:
    letters = died(5)
    job = run_until_it_waits(start(letters, canary=1))
    assert (job.state, at_target(redis)) == (JobState.CANARY, ids(letters[:1]))

    succeed(letters[0])
    run(due(job))

    assert at_target(redis) == ids(letters)
    assert JobState(RetryJob.objects.get().state) == JobState.DONE


def test_a_canary_that_does_not_come_back_in_its_time_is_enough(died: Died, redis: Any) -> None:
    letters = died(3)
    job = run_until_it_waits(start(letters, canary=2, canary_wait_s=30))
    assert at_target(redis) == ids(letters[:2])
    RetryJob.objects.update(step_started_at=timezone.now() - timedelta(seconds=31))
    run(due(job))
    assert at_target(redis) == ids(letters)


def test_a_canary_that_comes_back_pauses_the_job_and_a_person_decides(
    died: Died, redis: Any, shop_dead_letters: Source
) -> None:
    letters = died(4)
    job = run_until_it_waits(start(letters, canary=1))
    come_back(shop_dead_letters, letters[0])
    job = run(due(job))
    assert job.state == JobState.PAUSED
    assert "The canary failed: 1 of 1 came back" in job.reason
    assert at_target(redis) == ids(letters[:1])

    controlling.resume(job.pk, ANNA)
    assert run(job).state == JobState.DONE
    assert at_target(redis) == ids(letters)


def test_a_ramp_grows_while_few_come_back_and_pauses_when_many_do(
    died: Died, redis: Any, shop_dead_letters: Source
) -> None:
    letters = died(40)
    job = start(letters, ramp=True, ramp_wait_s=60)
    for step in (1, 2, 5):
        job = run_until_it_waits(due(job))
        done = at_target(redis)
        assert len(done) == step + sum(size for size in (1, 2, 5) if size < step)
        succeed(*letters[: len(done)])
    job = run_until_it_waits(due(job))
    assert len(at_target(redis)) == 28
    for letter in letters[8:12]:
        come_back(shop_dead_letters, letter)

    job = run(due(job))

    assert job.state == JobState.PAUSED
    assert "4 of 20 letters of the latest batch came back" in job.reason
    assert len(at_target(redis)) == 28

    controlling.resume(job.pk, ANNA)
    job = run_until_it_waits(due(job))
    assert len(at_target(redis)) == 29, "the ramp begins anew, and what came back before is overlooked"


def test_a_rate_limit_holds_over_workers_that_come_and_go(died: Died, redis: Any) -> None:
    letters = died(5)
    began = timezone.now()
    job = start(letters, rate_per_s=2)
    while not job.is_finished:
        if leased := lease.take(job.pk):
            driving.drive(leased, seconds=0.2)
        job.refresh_from_db()
        seconds = (timezone.now() - began).total_seconds()
        assert len(at_target(redis)) <= 2 * seconds + 2
    assert at_target(redis) == ids(letters)
    assert (timezone.now() - began).total_seconds() >= 1.5


def test_no_trace_gets_more_than_its_cap_at_once(died: Died, redis: Any) -> None:
    one = died(4, correlation_id="order-1")
    other = died(1, correlation_id="order-2")
    job = run_until_it_waits(start([*one, *other], cap=2, cap_interval_s=60))
    assert at_target(redis) == ids([*one[:2], *other])

    Retry.objects.update(publish_started_at=timezone.now() - timedelta(seconds=61))
    job = run_until_it_waits(due(job))
    assert at_target(redis) == ids([*one[:2], *other, *one[2:]])


def test_in_order_the_next_of_a_trace_waits_for_the_one_before_and_stays_behind_one_that_came_back(
    died: Died, redis: Any, shop_dead_letters: Source
) -> None:
    good = died(2, correlation_id="order-1")
    bad = died(3, correlation_id="order-2")
    job = run_until_it_waits(start([*good, *bad], in_order=True, ramp_wait_s=60))
    assert at_target(redis) == ids([good[0], bad[0]])

    succeed(good[0])
    come_back(shop_dead_letters, bad[0])
    job = run(due(job))

    assert at_target(redis) == ids([good[0], bad[0], good[1]])
    assert job.state == JobState.DONE
    left = Retry.objects.filter(letter__in=bad[1:])
    assert {retry.state for retry in left} == {RetryState.WITHDRAWN}
    assert f"Letter #{bad[0].pk}, which comes before it in its trace" in left[0].error
    assert DeadLetter.objects.get(pk=bad[1].pk).status == Status.OPEN


def test_a_scheduled_job_holds_its_letters_and_begins_at_its_time_or_when_told(
    died: Died, redis: Any
) -> None:
    letters = died(2)
    tomorrow = timezone.now() + timedelta(days=1)
    job = starting.start(of_letters(ids(letters)), ANNA, start_at=tomorrow)
    job = run(job)
    assert (job.state, job.next_at >= tomorrow - timedelta(seconds=1)) == (JobState.SCHEDULED, True)
    assert at_target(redis) == []
    with pytest.raises(starting.NothingToSend, match="waits in retry job"):
        starting.start(of_letters(ids(letters)), ANNA)

    controlling.resume(job.pk, ANNA)
    run(job)
    assert at_target(redis) == ids(letters)


def test_letters_go_elsewhere_when_the_asker_or_a_rule_says_so(
    died: Died, redis: Any, shop_dead_letters: Source
) -> None:
    by_rule, by_hand = died(2)
    rule = RedirectRule.objects.create(
        pattern="shop.*", to_topic="shop.orders.v2", why="orders were renamed", created_by="olga"
    )
    send_again(by_rule.pk)
    assert at_target(redis, "shop.orders.v2") == [by_rule.pk]
    assert by_rule.retries.get().destination == "stream shop.orders.v2 (Redis Streams)"

    send_again(by_hand.pk, redirect_to="shop.orders")
    assert at_target(redis) == [by_hand.pk]

    rule.enabled = False
    rule.save()
    [third] = died(1)
    send_again(third.pk)
    assert at_target(redis) == [by_hand.pk, third.pk]


# -- when something is in the way --------------------------------------------------------------------------


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
    real = driving.Driver._begin
    stolen = False

    def steal(*args: Any) -> set[int]:
        nonlocal stolen
        begun = real(*args)
        if not stolen:
            stolen = True
            RetryJob.objects.update(lease_token="00000000-0000-0000-0000-000000000001")
        return begun

    monkeypatch.setattr(driving.Driver, "_begin", steal)
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


# -- what people do ----------------------------------------------------------------------------------------


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
