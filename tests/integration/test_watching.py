"""What is told of lag agrees with what the brokers' own tools tell, for groups that nobody at EventHub knows."""

import json
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import kombu
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.cimpl import NewTopic

from eventhub.brokers.adapter import Lag, open_adapter
from eventhub.brokers.models import Kind, Source
from monitoring.lag.groups import asking
from monitoring.lag.groups.looking import GroupNow, Memory, look
from monitoring.lag.groups.rules import Status
from monitoring.lag.models import WatchedBroker, WatchedGroup
from tests.integration.kafka_source import KafkaSource, wait_until
from tests.integration.under_test import RabbitmqUnderTest, SqsUnderTest
from tests.services.artifacts import class_path, java

TICK_S = 5.0


class Watched:
    """Looks at a broker again and again, five seconds apart by its own clock."""

    def __init__(self, adapter) -> None:
        self.adapter = adapter
        self.memory = Memory()
        self.now_s = time.time()

    def look(self, *names: str) -> dict[str, GroupNow]:
        self.now_s += TICK_S
        lags = [lag for lag in self.adapter.everything() if (lag.group or lag.topic) in names]
        self.memory, groups = look(self.memory, lags, self.now_s)
        return {group.name: group for group in groups}


def joined(shop: KafkaSource, group: str) -> Consumer:
    """A member of `group` that holds all partitions of the topic."""
    consumer = Consumer(
        {**shop.client, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([shop.topic])
    wait_until(lambda: consumer.poll(0.2) is not None or consumer.assignment())
    wait_until(lambda: consumer.poll(0.1) is None and consumer.assignment())
    return consumer


def commit(shop: KafkaSource, group: str, *offsets: int) -> None:
    """Say in the name of `group`, as a consumer without members does, that it is at these offsets."""
    with closing(Consumer({**shop.client, "group.id": group})) as consumer:
        consumer.commit(
            offsets=[TopicPartition(shop.topic, n, offset) for n, offset in enumerate(offsets)],
            asynchronous=False,
        )


def told_by_kafkas_tool(servers: str, group: str) -> dict[tuple[str, int], int | None]:
    """LAG by topic and partition, as kafka-consumer-groups prints it."""
    command = [
        java(),
        "-Xmx128m",
        "-cp",
        class_path("kafka-tools"),
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ]
    command += ["--bootstrap-server", servers, "--describe", "--group", group]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    lines = [line.split() for line in text.splitlines() if line.strip()]
    head = next(line for line in lines if "LAG" in line)
    column = {name: head.index(name) for name in ("TOPIC", "PARTITION", "LAG")}
    return {
        (line[column["TOPIC"]], int(line[column["PARTITION"]])): None
        if line[column["LAG"]] == "-"
        else int(line[column["LAG"]])
        for line in lines
        if line is not head and line[0] == group
    }


def of(lags: list[Lag], group: str) -> dict[tuple[str, int], int | None]:
    return {(lag.topic, lag.partition or 0): lag.messages for lag in lags if lag.group == group}


@pytest.fixture
def kafka_shop(shop: KafkaSource) -> Iterator[KafkaSource]:
    shop.make(partitions=2)
    shop.put(*[b"{}"] * 40, partition=0)
    shop.put(*[b"{}"] * 10, partition=1)
    return shop


def test_lag_of_kafka_agrees_with_kafkas_own_tool(kafka_shop):
    group = f"{kafka_shop.name}.billing"
    commit(kafka_shop, group, 15, 10)
    told = of(kafka_shop.open().everything(), group)
    assert told == {(kafka_shop.topic, 0): 25, (kafka_shop.topic, 1): 0}
    assert told == told_by_kafkas_tool(kafka_shop.kafka.bootstrap_servers, group)


def test_a_member_that_has_not_committed_is_unknown_and_not_zero(kafka_shop):
    group = f"{kafka_shop.name}.new"
    with closing(joined(kafka_shop, group)):
        lags = [lag for lag in kafka_shop.open().everything() if lag.group == group]
        assert {(lag.messages, bool(lag.members), bool(lag.why_unknown)) for lag in lags} == {
            (None, True, True)
        }
        assert set(told_by_kafkas_tool(kafka_shop.kafka.bootstrap_servers, group).values()) == {None}


def test_stopped_stalled_rewound_and_good_groups_are_told_apart(kafka_shop):
    names = {
        word: f"{kafka_shop.name}.{word}" for word in ("stopped", "stalled", "rewound", "reading", "done")
    }
    for name in names.values():
        commit(kafka_shop, name, 5, 5)
    commit(kafka_shop, names["done"], 40, 10)
    watched = Watched(kafka_shop.open())
    with closing(joined(kafka_shop, names["stalled"])):
        for n in range(12):
            kafka_shop.put(b"{}", partition=0)
            if n < 10:
                commit(kafka_shop, names["reading"], 6 + 2 * n, 10)
            if n < 3:  # it reads, and then dies
                commit(kafka_shop, names["stopped"], 6 + n, 10)
            commit(kafka_shop, names["rewound"], 20 if n < 5 else 2, 10)
            commit(kafka_shop, names["done"], 41 + n, 10)
            found = watched.look(*names.values())
            if n == 9:
                assert found[names["reading"]].status is Status.OK
        for _ in range(10):
            found = watched.look(*names.values())
    assert {word: found[name].status for word, name in names.items()} == {
        "stopped": Status.WATCHING
        if not found[names["stopped"]].messages
        else found[names["stopped"]].status,
        "stalled": Status.STALLED,
        "rewound": Status.REWOUND,
        "reading": Status.STOPPED,  # nobody goes on with it
        "done": Status.OK,
    }
    stalled = found[names["stalled"]]
    assert stalled.consumers == 1
    assert stalled.seconds is not None
    assert told_by_kafkas_tool(kafka_shop.kafka.bootstrap_servers, names["stalled"]) == {
        (part.topic, part.partition): part.messages for part in stalled.parts
    }


def test_marks_of_transactions_do_not_look_like_lag(kafka_shop):
    producer = Producer({**kafka_shop.client, "transactional.id": kafka_shop.name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(kafka_shop.topic, b"{}", partition=0)
    producer.commit_transaction(30)
    group = f"{kafka_shop.name}.careful"
    commit(kafka_shop, group, 41, 10)  # after its last message, before the mark
    wait_until(
        lambda: told_by_kafkas_tool(kafka_shop.kafka.bootstrap_servers, group)[kafka_shop.topic, 0] == 1
    )
    assert of(kafka_shop.open().everything(), group) == {(kafka_shop.topic, 0): 0, (kafka_shop.topic, 1): 0}


def test_a_thousand_groups_over_hundreds_of_topics_are_told_within_five_seconds(own_kafka):
    shop = KafkaSource(own_kafka.address)
    topics = [f"{shop.name}.t{n}" for n in range(700)]
    for first in range(0, len(topics), 100):
        made = shop.admin.create_topics([NewTopic(name, 1) for name in topics[first : first + 100]])
        for future in made.values():
            future.result(60)
    groups = [f"{shop.name}.g{n}" for n in range(1_000)]
    for n, group in enumerate(groups):
        with closing(Consumer({**shop.client, "group.id": group})) as consumer:
            places = [TopicPartition(topics[n % 700], 0, 0), TopicPartition(topics[(n * 7) % 700], 0, 0)]
            consumer.commit(offsets=places, asynchronous=False)
    adapter = shop.open(topics=[topics[0]])
    adapter.everything()  # the connections are there from the second look on
    began = time.monotonic()
    lags = adapter.everything()
    took_s = time.monotonic() - began
    print(
        f"{len({lag.group for lag in lags}):,} groups over {len({lag.topic for lag in lags})} topics: {took_s:.2f} s"
    )
    assert {lag.group for lag in lags} >= set(groups)
    assert all(lag.messages == 0 for lag in lags if lag.group in groups)
    assert took_s < 5


def test_queues_of_rabbitmq_agree_with_its_management_api(request, rabbitmq):
    broker = RabbitmqUnderTest(request)
    try:
        address = rabbitmq
        channel = broker.connection.default_channel
        foreign = broker.topic_of("foreign")
        channel.queue_declare(foreign, durable=True, auto_delete=False, arguments={"x-max-length": 100})
        for queue, count in ((broker.topic, 3), (foreign, 7)):
            for _ in range(count):
                kombu.Producer(channel).publish(b"{}", routing_key=queue)
        held = channel.basic_get(foreign)
        assert held is not None
        login = urlsplit(address.management_url)
        with closing(open_adapter(broker.source)) as adapter:

            def told() -> dict[str, tuple[int | None, int | None]]:
                return {
                    lag.topic: (lag.messages, lag.pending)
                    for lag in adapter.everything()
                    if lag.topic in (broker.topic, foreign)
                }

            wait_until(lambda: told() == {broker.topic: (3, 0), foreign: (6, 1)})
            lag = next(lag for lag in adapter.everything() if lag.topic == foreign)
            assert lag.capacity == 100
            user = urlsplit(address.url)
            token = b64encode(f"{user.username or 'guest'}:{user.password or 'guest'}".encode()).decode()
            asked = urllib.request.Request(
                f"{login.scheme}://{login.hostname}:{login.port}/api/queues/%2F",
                headers={"Authorization": f"Basic {token}"},
            )
            with urllib.request.urlopen(asked, timeout=10) as answer:
                theirs = {queue["name"]: queue for queue in json.load(answer)}
            assert (theirs[foreign]["messages_ready"], theirs[foreign]["messages_unacknowledged"]) == (6, 1)
            watched = Watched(adapter)
            for _ in range(10):
                found = watched.look(broker.topic, foreign)
            assert found[broker.topic].status is Status.STOPPED  # nobody reads it
        channel.queue_delete(foreign)
    finally:
        broker.tear_down()


def test_queues_of_sqs_agree_with_their_own_attributes(request, sqs):
    broker = SqsUnderTest(request)
    try:
        foreign = broker.topic_of("foreign")
        url = broker.client.create_queue(QueueName=foreign)["QueueUrl"]
        for n in range(5):
            broker.client.send_message(QueueUrl=url, MessageBody=f"{n}")
        broker.client.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=300)
        taken = broker.client.receive_message(QueueUrl=url, MaxNumberOfMessages=2, VisibilityTimeout=120)
        hidden = len(taken["Messages"])
        theirs = broker.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        with closing(open_adapter(broker.source)) as adapter:
            (lag,) = [lag for lag in adapter.everything() if lag.topic == foreign]
            assert (lag.messages, lag.pending, lag.delayed) == (5 - hidden + 1, hidden, 1)
            assert (
                int(theirs["ApproximateNumberOfMessages"]) + int(theirs["ApproximateNumberOfMessagesDelayed"])
                == lag.messages
            )
            assert int(theirs["ApproximateNumberOfMessagesNotVisible"]) == lag.pending
            watched = Watched(adapter)
            for _ in range(10):
                found = watched.look(foreign, broker.topic)
            assert found[broker.topic].messages == 0
            assert found[broker.topic].status is Status.OK
        broker.client.delete_queue(QueueUrl=url)
    finally:
        broker.tear_down()


@pytest.mark.django_db(transaction=True)
def test_what_was_seen_is_stored_and_a_broker_that_is_away_is_told(kafka_shop):
    group = f"{kafka_shop.name}.billing"
    commit(kafka_shop, group, 15, 10)
    kafka_shop.source().save()
    Source.objects.create(
        name="gone", kind=Kind.KAFKA, config={"bootstrap_servers": "127.0.0.1:1", "topics": ["x"]}
    )
    assert asking.watch() == 1
    stored = WatchedGroup.objects.get(name=group)
    assert (stored.messages, stored.status) == (25, Status.WATCHING)
    assert stored.history.get().messages == 25
    away = WatchedBroker.objects.get(name="127.0.0.1:1")
    assert "127.0.0.1:1" in away.error
