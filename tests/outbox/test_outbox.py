import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from eventhub.brokers.adapter import BrokerError, open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.events.decoding import decode
from eventhub.events.message import OutgoingMessage
from eventhub.outbox.models import OutboxMessage
from eventhub.outbox.publishing import NotInTransaction, publish
from eventhub.outbox.tasks import prune

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = {"event_id": "e-1", "event_type": "order.placed", "data": {"n": 1}}


@pytest.fixture
def reader():
    opened = []

    def open_one(config=None):
        opened.append(open_adapter(Source(name="outbox", kind=Kind.OUTBOX, config=config or {}), "w1"))
        return opened[-1]

    yield open_one
    for adapter in opened:
        adapter.close()


def put(topic="orders", **event):
    with transaction.atomic():
        publish(topic, ORDER | event, key="k", headers={"Tenant": "acme"})


def test_a_published_event_is_read_once_and_marked_after_acknowledgement(reader):
    put()
    adapter = reader()
    [message] = adapter.poll(10, 0)
    assert decode(message).event_id == "e-1"
    assert (message.topic, message.key, message.headers) == ("orders", "k", {"tenant": "acme"})
    assert adapter.poll(10, 0) == []
    adapter.acknowledge([message])
    assert OutboxMessage.objects.get().published_at is not None


def test_what_was_not_acknowledged_is_read_again_by_the_next_reader(reader):
    put()
    first = reader()
    assert len(first.poll(10, 0)) == 1
    first.close()
    assert len(reader().poll(10, 0)) == 1


def test_one_reader_at_a_time_and_the_other_takes_over(reader):
    put()
    first, second = reader(), reader()
    assert len(first.poll(10, 0)) == 1
    assert second.poll(10, 0) == []
    first.close()
    assert len(second.poll(10, 0.5)) == 1


def test_an_event_of_a_rolled_back_change_is_never_sent(reader):
    with transaction.atomic():
        publish("orders", ORDER)
        transaction.set_rollback(True)
    assert reader().poll(10, 0) == []


def test_publishing_outside_of_a_transaction_is_refused():
    with pytest.raises(NotInTransaction, match="atomic"):
        publish("orders", ORDER)


def test_a_transaction_that_commits_late_is_not_skipped(reader):
    written, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            publish("orders", ORDER | {"event_id": "slow"})
            written.set()
            may_commit.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(10)
    put(event_id="fast")
    adapter = reader()
    assert [decode(message).event_id for message in adapter.poll(10, 0)] == ["fast"]
    may_commit.set()
    thread.join()
    assert [decode(message).event_id for message in adapter.poll(10, 0)] == ["slow"]


def test_a_source_can_be_limited_to_topics(reader):
    put("orders")
    put("payments")
    assert [message.topic for message in reader({"topics": ["payments"]}).poll(10, 0)] == ["payments"]


def test_lag_counts_what_waits_by_topic(reader):
    adapter = reader()
    assert [(lag.topic, lag.messages) for lag in adapter.lag()] == [("(all)", 0)]
    put()
    put()
    [lag] = adapter.lag()
    assert (lag.topic, lag.messages) == ("orders", 2)
    assert timedelta(0) <= lag.oldest_age < timedelta(seconds=10)


def test_a_retry_is_written_to_the_outbox_and_what_is_not_text_is_refused(reader):
    adapter = reader()
    adapter.publish([OutgoingMessage(b"{}", "orders", (("eventhub-attempt", "2"),))])
    assert OutboxMessage.objects.get().headers == {"eventhub-attempt": "2"}
    with pytest.raises(BrokerError, match="UTF-8"):
        adapter.publish([OutgoingMessage(b"\xff", "orders")])


def test_published_messages_are_deleted_after_a_day():
    put()
    put()
    old = OutboxMessage.objects.order_by("id").first()
    OutboxMessage.objects.filter(pk=old.pk).update(published_at=timezone.now() - timedelta(days=2))
    prune()
    assert OutboxMessage.objects.count() == 1


def test_a_peek_shows_the_newest_of_its_topics_and_leaves_them_to_the_relay(reader):
    for topic, number in (("orders", 1), ("others", 2), ("orders", 3)):
        put(topic, event_id=f"e-{number}")
    first = reader()
    first.acknowledge(first.poll(1, 0))
    peeked = reader({"topics": ["orders"]}).peek(10, 1.0)
    assert [decode(message).event_id for message in peeked] == ["e-3", "e-1"]
    assert peeked[0].headers == {"tenant": "acme"}
    assert [decode(message).event_id for message in first.poll(10, 0)] == ["e-2", "e-3"]
    assert OutboxMessage.objects.filter(published_at=None).count() == 2
