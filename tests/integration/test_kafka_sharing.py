"""Several workers on one topic: each reads its share, gives it up without loss, and is replaced when it is gone."""

import threading
import time
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from django.db import connection

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import State
from eventhub.events.models import Event
from eventhub.ingest.loop import SourceLoop
from monitoring.rollups.models import Rollup
from tests.chaos.exactly_once import Worker, own_database
from tests.integration.kafka_source import KafkaSource, bodies, take, wait_until

# A stalled worker is missed after two seconds instead of minutes.
IMPATIENT = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 400, "max.poll.interval.ms": 2000}


def event(number):
    return b'{"event_id": "e-%d", "event_type": "order.placed", "timestamp": "2026-11-24T10:00:00Z"}' % number


def test_what_is_in_work_is_finished_before_a_partition_goes_to_another_worker(shop):
    shop.make(partitions=4)
    for partition in range(4):
        shop.put(*(b"%d/%d" % (partition, n) for n in range(10)), partition=partition)
    first = shop.open("w1")
    in_work = take(first, 40)
    settled = []

    def settle():
        first.acknowledge(in_work)
        settled.append(time.monotonic())

    first.before_handover(settle)
    second = shop.open("w2")
    got = []
    wait_until(lambda: got.extend(first.poll(10, 0.1)) or got.extend(second.poll(10, 0.1)) or settled)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        got += first.poll(10, 0.1) + second.poll(10, 0.1)
    assert got == []
    for partition in range(4):
        shop.put(b"new", partition=partition)
    shares = {"first": [], "second": []}

    def share():
        shares["first"] += first.poll(10, 0.2)
        shares["second"] += second.poll(10, 0.2)
        return sum(map(len, shares.values())) >= 4

    wait_until(share)
    assert [len(shares["first"]), len(shares["second"])] == [2, 2]


def test_a_batch_that_cannot_be_finished_is_left_to_the_next_reader(shop):
    shop.make(partitions=2)
    shop.put(b"0")
    shop.put(b"1", partition=1)
    first = shop.open("w1")
    take(first, 2)

    def fail():
        raise RuntimeError("the database is gone")

    first.before_handover(fail)
    second = shop.open("w2")
    given_up = []

    def poll_both():
        given_up.extend(second.poll(10, 0.1))
        if first:
            first.poll(10, 0.1)

    with pytest.raises(RuntimeError, match="database is gone"):
        wait_until(poll_both)
    first.close()
    given_up += take(second, 2 - len(given_up))
    assert sorted(bodies(given_up)) == [b"0", b"1"]


def test_acknowledging_what_went_to_another_worker_meanwhile_is_harmless(shop):
    shop.make()
    shop.put(*(b"%d" % n for n in range(10)))
    stalled = shop.open("w1", settings=IMPATIENT)
    old = take(stalled, 10)
    other = shop.open("w2", settings=IMPATIENT)
    again = take(other, 10)  # while the first does not poll
    other.acknowledge(again)
    wait_until(lambda: other.poll(10, 0.1) or shop.committed() == [10])
    stalled.acknowledge(old[:5])
    for _ in range(20):
        assert stalled.poll(10, 0.1) == other.poll(10, 0.1) == []
    stalled.acknowledge(old[:5])
    assert shop.committed() == [10]
    shop.put(b"new")
    got = []
    wait_until(lambda: got.extend(stalled.poll(10, 0.1)) or got.extend(other.poll(10, 0.1)) or got)
    assert bodies(got) == [b"new"]


def test_a_worker_that_starts_again_takes_its_place_at_once_and_a_namesake_is_told(shop):
    shop.make()
    shop.put(b"1", b"2")
    first = shop.open("w1")
    first.acknowledge(take(first, 2)[:1])
    wait_until(lambda: first.poll(10, 0.1) or shop.committed() == [1])
    started = time.monotonic()
    second = shop.open("w1")
    assert bodies(take(second, 1)) == [b"2"]
    assert time.monotonic() - started < 8.5  # a worker of another name would wait until the first is missed
    with pytest.raises(BrokerError, match="same name"):
        take(first, 1, timeout_s=10)


# -- Loops -----------------------------------------------------------------------------------------


@pytest.fixture
def loops(transactional_db):
    """Starts loops of a source, one for each worker's name."""
    started = []

    def start(source, worker):
        started.append(SourceLoop(source, worker))
        started[-1].start()
        return started[-1]

    yield start
    for loop in started:
        loop.stop()
    for loop in started:
        assert loop.join(30)


def test_of_batches_after_one_that_was_not_stored_none_is_acknowledged(shop, loops, settings):
    settings.INGEST_BATCH_SIZE = 10
    shop.make()
    shop.put(*(event(number) for number in range(60)))
    source = shop.source()
    source.save()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event ADD CONSTRAINT refuse CHECK (event_id <> 'e-5') NOT VALID")
    loop = loops(source, "w1")
    wait_until(lambda: loop.restarts >= 2)
    assert "refuse" in loop.last_error
    assert shop.committed()[0] <= 0
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event DROP CONSTRAINT refuse")
    wait_until(lambda: shop.committed() == [60])
    assert Event.objects.count() == 60


def test_workers_that_come_and_go_lose_and_double_nothing(shop, loops):
    shop.make(partitions=4)
    source = shop.source()
    source.save()
    stop, count = threading.Event(), [0]

    def keep_publishing():
        producer = Producer({**shop.client, "enable.idempotence": True})
        while not stop.is_set():
            for _ in range(200):
                producer.produce(shop.topic, event(count[0]), partition=count[0] % 4)
                count[0] += 1
            producer.flush()
            time.sleep(0.05)

    publisher = threading.Thread(target=keep_publishing)
    publisher.start()
    try:
        first = loops(source, "w1")
        wait_until(lambda: first.messages_total > 500)
        second = loops(source, "w2")
        wait_until(lambda: second.messages_total > 500)
        third = loops(source, "w3")
        wait_until(lambda: third.messages_total > 500)
        first.stop()
        assert first.join(30)
        before = second.messages_total, third.messages_total
        time.sleep(12)  # its partitions are missed, and move
        assert (second.messages_total, third.messages_total) > before
    finally:
        stop.set()
        publisher.join()
    wait_until(lambda: Event.objects.count() == count[0], timeout_s=60)
    assert Event.objects.values("event_id").distinct().count() == count[0]
    assert sum(Rollup.objects.values_list("duplicates", flat=True)) == 0
    assert first.messages_total + second.messages_total + third.messages_total == count[0]


def test_a_broker_that_is_restarted_is_waited_for_and_nothing_is_lost(own_kafka, loops):
    shop = KafkaSource(own_kafka.address)
    shop.make()
    source = shop.source()
    source.save()
    shop.put(*map(event, range(100)))
    loop = loops(source, "w1")
    wait_until(lambda: loop.messages_total == 100)
    own_kafka.stop()
    wait_until(lambda: "cannot be reached" in loop.last_error or "No Kafka answers" in loop.last_error, 30)
    own_kafka.start()
    restarted = time.monotonic()
    shop.put(*map(event, range(100, 200)))
    wait_until(lambda: loop.messages_total == 200, 60)
    print(f"reading went on {time.monotonic() - restarted:.1f} s after the broker served again")
    assert Event.objects.count() == 200
    assert sum(Rollup.objects.values_list("duplicates", flat=True)) == 0


def test_a_broker_that_is_down_when_the_worker_starts_is_named_and_waited_for(own_kafka, loops):
    shop = KafkaSource(own_kafka.address)
    shop.make()
    shop.put(event(1))
    source = shop.source()
    source.save()
    own_kafka.kill()
    loop = loops(source, "w1")
    wait_until(lambda: loop.state == State.FAILING)
    assert "cannot be reached" in loop.last_error
    assert "refused" in loop.last_error
    own_kafka.start()
    wait_until(lambda: loop.messages_total == 1, 60)
    assert loop.state == State.RUNNING


# -- Two workers, as they are ------------------------------------------------------------------------


class Shared:
    """The topic of a `KafkaSource` as the chaos tests' database wants a broker."""

    kind = "kafka"

    def __init__(self, shop):
        self.config = shop.config


def test_two_workers_share_four_partitions_and_killing_one_moves_its_share_within_fifteen_seconds(shop):
    shop.make(partitions=4)
    with (
        own_database(Shared(shop)) as database,
        Worker(database, 1000, "one") as one,
        Worker(database, 1000, "two") as two,
    ):
        one.start()
        two.start()
        per_worker = "SELECT count(*) FROM brokers_sourcestatus WHERE messages_total > 0"
        number = 0

        def publish_to_all():
            nonlocal number
            for partition in range(4):
                shop.put(event(number), partition=partition)
                number += 1

        def both_read():
            publish_to_all()
            return database.ask(per_worker) == 2

        one.wait_until(both_read)
        wait_until(lambda: database.stored() == number)
        two.kill()
        killed, at = time.monotonic(), datetime.now(UTC)
        publish_to_all()
        one.wait_until(lambda: database.stored() == number)
        took = time.monotonic() - killed
        print(f"killed at {at:%H:%M:%S}: everything was read again after {took:.1f} s")
        assert 1 < took < 15
        assert one.stop() == 0
        assert database.ask("SELECT count(DISTINCT event_id) FROM events_event") == number
