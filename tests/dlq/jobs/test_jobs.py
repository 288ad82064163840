"""Jobs from the request to the last letter, against a real broker; each test drives them as a worker does."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dlq import closing, counts
from dlq.filter import Filter
from dlq.jobs import controlling, driving, lease, marking, results, starting
from dlq.jobs.options import Options
from dlq.jobs.selection import BadSelection, of_filter, of_letters
from dlq.models import (
    DeadLetter,
    JobState,
    RedirectRule,
    Retry,
    RetryJob,
    RetryState,
    Status,
)
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Source
from tests.dlq.jobs.driven import Died, at_target, come_back, due, ids, run_until_it_waits, start, succeed
from tests.dlq.sending import ANNA, run, send_again, sent

pytestmark = pytest.mark.django_db(transaction=True)


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
