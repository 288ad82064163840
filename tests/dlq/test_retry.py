from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis as redis_client
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from dlq import counts, intake, listing, outcomes, routes
from dlq.filter import Filter
from dlq.headers import ATTEMPT, RETRY_FOR, RETRY_OF
from dlq.jobs import driving, lease, starting
from dlq.jobs.options import Options
from dlq.jobs.planning import Next
from dlq.jobs.selection import of_letters
from dlq.models import DeadLetter, JobState, PastFailure, Retry, RetryJob, RetryState, Status
from dlq.newest import Newest
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source
from eventhub.events.decoding import decode
from eventhub.events.message import Message
from eventhub.events.receipts import Receipt
from tests.dlq.letters import broken, dead_message, order_paid, service_failure
from tests.dlq.sending import ANNA, refused, run, send_again, sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis() -> Iterator[Any]:
    client = redis_client.Redis.from_url(settings.REDIS_URL)
    client.delete("shop.orders", "shop.dead-letters")
    yield client
    client.delete("shop.orders", "shop.dead-letters")
    client.close()


def letter_of(source: Source, new: intake.NewLetter) -> DeadLetter:
    with transaction.atomic():
        assert intake.record(source, [new]) == 1
    return DeadLetter.objects.latest("pk")


def receipt(letter: DeadLetter, service: str = "shipping") -> Receipt:
    return Receipt(
        event_id=letter.event_id or "",
        event_type=letter.event_type,
        service=service,
        succeeded=True,
        duration_s=0.1,
        attempt=4,
        error_class="",
        error_message="",
        will_retry=None,
        at=timezone.now(),
    )


def observe(stored: list[Message], *receipts: Receipt) -> None:
    with transaction.atomic():
        outcomes.observe([(message, decode(message)) for message in stored], receipts)


def test_a_retry_publishes_the_same_bytes_to_where_the_message_came_from(
    shop_dead_letters: Source, redis: Any
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1, headers={"traceparent": "x"}))

    assert sent(send_again(letter.pk)) == [letter.pk]

    [(_, entry)] = redis.xrange("shop.orders")
    assert entry[b"body"] == bytes(letter.body)
    assert entry == {
        b"body": bytes(letter.body),
        b"content-type": b"application/json",
        b"traceparent": b"x",
        RETRY_OF.encode(): str(letter.pk).encode(),
        ATTEMPT.encode(): b"4",
        RETRY_FOR.encode(): letter.failed_in.encode(),
    }
    letter.refresh_from_db()
    assert letter.status == Status.SENT
    assert letter.retries.get().state == RetryState.PUBLISHED
    assert counts.open_letters().letters == 0
    assert AuditEntry.objects.get().action == "retry"


def test_two_people_at_once_publish_once(shop_dead_letters: Source, redis: Any) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))

    def press(n: int) -> int:
        try:
            return len(sent(send_again(letter.pk, actor=Actor(f"person {n}"))))
        except starting.NothingToSend:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as people:
        pressed = list(people.map(press, range(16)))

    assert sum(pressed) == 1
    assert redis.xlen("shop.orders") == 1
    assert Retry.objects.count() == 1


def test_several_workers_at_one_job_publish_each_letter_once(shop_dead_letters: Source, redis: Any) -> None:
    letters = [letter_of(shop_dead_letters, service_failure(n)) for n in range(30)]
    job = starting.start(of_letters([letter.pk for letter in letters]), ANNA)

    def work(_: int) -> None:
        try:
            run(job)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))

    assert redis.xlen("shop.orders") == 30


def test_a_broker_that_refuses_leaves_the_letter_open_with_the_reason(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = letter_of(shop, broken(1))
    shop.config = {"streams": ["shop.orders"], "url": "redis://127.0.0.1:1/0"}
    shop.save()

    job = send_again(letter.pk)

    letter.refresh_from_db()
    assert letter.status == Status.OPEN
    assert (job.state, job.is_finished) == (JobState.FAILED, True)
    retry = letter.retries.get()
    assert retry.state == RetryState.NOT_PUBLISHED
    assert "could not be sent" in retry.error
    assert counts.open_letters().letters == 1


def test_a_job_that_nobody_took_up_is_sent_by_the_next_worker(
    shop_dead_letters: Source, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    monkeypatch.setattr(lease, "take", lambda job_id=None: None)  # as if the web process died here
    job = starting.start(of_letters([letter.pk]), ANNA)
    monkeypatch.undo()
    assert "waits in retry job" in refused(letter.pk)

    assert sent(run(job)) == [letter.pk]
    assert redis.xlen("shop.orders") == 1


def test_what_was_in_flight_when_a_worker_died_is_sent_again_and_told(
    shop_dead_letters: Source, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))

    def die(source: Source, messages: Any) -> None:
        raise SystemExit("killed")

    monkeypatch.setitem(routes._registered, Kind.REDIS, die)
    with pytest.raises(SystemExit):
        send_again(letter.pk)
    monkeypatch.undo()
    job = RetryJob.objects.get()
    assert lease.take(job.pk) is None, "the lease of the dead has not run out yet"
    RetryJob.objects.update(lease_until=timezone.now())

    run(job)

    assert redis.xlen("shop.orders") == 1
    retry = letter.retries.get()
    assert (retry.state, retry.sends, retry.attempt) == (RetryState.PUBLISHED, 2, 4)
    told = AuditEntry.objects.get(action="send again")
    assert (told.actor, told.detail["letters"]) == ("eventhub", [letter.pk])


def test_a_batch_that_kills_every_worker_is_given_up_and_the_rest_goes_on(
    shop_dead_letters: Source, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = [letter_of(shop_dead_letters, service_failure(n)) for n in range(3)]
    job = starting.start(of_letters([letter.pk for letter in letters]), ANNA, Options(rate_per_s=1_000))

    def die(source: Source, messages: Any) -> None:
        raise SystemExit("killed")

    monkeypatch.setattr(driving.planning, "plan", lambda facts, options: Next("send", limit=1))
    monkeypatch.setitem(routes._registered, Kind.REDIS, die)
    for _ in range(driving.MOST_SENDS):
        with pytest.raises(SystemExit):
            run(job)
        RetryJob.objects.update(lease_until=timezone.now())
    monkeypatch.undo()

    run(job)

    assert sent(job) == [letter.pk for letter in letters[1:]]
    lost = letters[0].retries.get()
    assert lost.state == RetryState.UNCERTAIN
    assert "may have been published or not" in lost.error
    letters[0].refresh_from_db()
    assert letters[0].status == Status.OPEN
    assert sent(send_again(letters[0].pk)) == [letters[0].pk]
    assert [retry.attempt for retry in letters[0].retries.all()] == [4, 5]


def test_a_success_receipt_of_the_service_resolves_the_letter(shop_dead_letters: Source, redis: Any) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    send_again(letter.pk)

    observe([], receipt(letter, service="email"))
    letter.refresh_from_db()
    assert letter.status == Status.SENT, "another service's success says nothing"

    observe([], receipt(letter))
    letter.refresh_from_db()
    assert letter.status == Status.RESOLVED
    assert letter.retries.get().state == RetryState.SUCCEEDED


def test_an_open_letter_whose_service_succeeds_later_by_itself_is_resolved(shop_dead_letters: Source) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    observe([], receipt(letter))
    letter.refresh_from_db()
    assert letter.status == Status.RESOLVED
    assert counts.open_letters().letters == 0


def test_a_retry_that_dies_again_reopens_its_letter_with_both_failures(
    shop_dead_letters: Source, redis: Any
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    send_again(letter.pk)
    again = service_failure(
        1,
        origin_key="redis:shop.dead-letters/99-0",
        headers={
            RETRY_OF: str(letter.pk),
            ATTEMPT: "4",
            "dlq-error-class": "shop.shipping.AddressUnknown",
            "dlq-error-message": "No such street",
        },
    )
    for _ in range(2):  # delivered twice: the second changes nothing
        with transaction.atomic():
            assert intake.record(shop_dead_letters, [again]) == 0

    letter.refresh_from_db()
    assert (letter.status, letter.attempts, letter.returns) == (Status.OPEN, 4, 1)
    assert letter.error_class == "shop.shipping.AddressUnknown"
    assert letter.group.title == "AddressUnknown: No such street"
    assert letter.retries.get().state == RetryState.FAILED_AGAIN
    assert PastFailure.objects.get().error_class == "shop.shipping.CarrierTimeout"
    assert counts.open_letters() == counts.OpenLetters(1, 1, 2, "AddressUnknown: No such street")
    # It is in another group now, and so in another lane.
    for wanted in (Filter(topic="shop.orders"), Filter(source=shop_dead_letters.name)):
        assert Newest(wanted).ids(5) == [letter.pk]
        assert [group.id for group in listing.groups(wanted, 5)] == [letter.group_id]


def test_a_service_that_drops_the_headers_is_recognised_by_its_event(
    shop_dead_letters: Source, redis: Any
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    send_again(letter.pk)
    with transaction.atomic():
        assert intake.record(shop_dead_letters, [service_failure(1, origin_key="redis:again")]) == 0
    letter.refresh_from_db()
    assert (letter.status, letter.attempts) == (Status.OPEN, 4)


def test_another_service_that_dies_of_a_retried_message_gets_its_own_letter(
    shop_dead_letters: Source, redis: Any
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    send_again(letter.pk)
    headers = {RETRY_OF: str(letter.pk), ATTEMPT: "4", "dlq-group": "email"}
    with transaction.atomic():
        other = service_failure(1, origin_key="redis:other", headers=headers)
        assert intake.record(shop_dead_letters, [other]) == 1
    letter.refresh_from_db()
    assert letter.status == Status.SENT


def test_an_unreadable_message_is_resolved_when_its_retry_is_stored(shop: Source, redis: Any) -> None:
    letter = letter_of(shop, broken(1, body=order_paid()))
    send_again(letter.pk)
    [(_, entry)] = redis.xrange("shop.orders")
    headers = {name.decode(): value.decode() for name, value in entry.items() if name != b"body"}
    message = Message(
        body=entry[b"body"], topic="shop.orders", offset="9-0", origin_key="redis:9", headers=headers
    )

    observe([message])

    letter.refresh_from_db()
    assert letter.status == Status.RESOLVED
    assert letter.retries.get().state == RetryState.SUCCEEDED


def test_an_outcome_that_comes_before_the_mark_is_kept(
    shop_dead_letters: Source, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))

    def publish_and_fail_at_once(source: Source, messages: Any) -> None:
        new = service_failure(1, origin_key="redis:quick", headers=dict(messages[0].headers))
        with transaction.atomic():
            intake.record(source, [new])

    monkeypatch.setitem(routes._registered, Kind.REDIS, publish_and_fail_at_once)
    send_again(letter.pk)

    letter.refresh_from_db()
    assert letter.status == Status.OPEN
    assert letter.retries.get().state == RetryState.FAILED_AGAIN
    assert counts.open_letters().letters == 1


def test_a_letter_that_does_not_say_where_it_came_from_is_refused_with_words(
    shop_dead_letters: Source,
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1, headers={"dlq-origin-stream": ""}))
    assert "does not say where it came from" in refused(letter.pk)
    assert not Retry.objects.exists()


def test_what_came_in_over_http_needs_a_registered_way_back(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    http = Source.objects.create(name="http", kind=Kind.HTTP)
    letter = letter_of(http, broken(1))
    monkeypatch.delitem(routes._registered, Kind.HTTP, raising=False)
    assert "nothing here knows how" in refused(letter.pk)
    assert not RetryJob.objects.exists()

    taken: list[bytes] = []
    monkeypatch.setitem(routes._registered, Kind.HTTP, lambda source, out: taken.extend(m.body for m in out))
    assert sent(send_again(letter.pk)) == [letter.pk]
    assert taken == [b"{"]


def test_a_sent_letter_without_word_can_be_sent_again_after_a_while(
    shop_dead_letters: Source, redis: Any
) -> None:
    letter = letter_of(shop_dead_letters, service_failure(1))
    send_again(letter.pk)
    assert "outcome is awaited" in refused(letter.pk)

    DeadLetter.objects.update(sent_at=timezone.now() - timedelta(minutes=11))
    assert sent(send_again(letter.pk)) == [letter.pk]
    assert [r.state for r in letter.retries.all()] == [RetryState.NO_WORD, RetryState.PUBLISHED]


def test_a_message_from_a_dead_letter_queue_may_be_of_any_kind() -> None:
    from dlq.dead_letter_queues import read

    bare = read(Message(body=b"\xff\x00", topic="q", offset="1", origin_key="k"))
    assert (bare.event, bare.topic, bare.attempts) == (None, "", 1)
    assert "does not say what went wrong" in bare.error_message

    odd = read(dead_message(1, headers={"dlq-attempts": "many", "dlq-failed-at": "yesterday"}))
    assert odd.attempts == 1
    assert odd.failed_at is not None, "the broker's time stands in"
