"""Spring's and Kafka Connect's dead letters on a real topic: read, reviewed, sent back, and dead once more.

The records are written as the frameworks write them: DeadLetterPublishingRecoverer with its numbers in bytes, the retry
topics' factory over it, and Connect's DeadLetterQueueReporter.
"""

import struct
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from eventhub.brokers.models import Kind
from tests.integration.dead_letters import ORDER, Desk, desk
from tests.integration.kafka_source import KafkaSource

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

Headers = list[tuple[str, bytes]]
KEY = b"customer-7"
# What a record has of its own: text, numbers in bytes, the same name twice, no value.
OWN: Headers = [
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"),
    ("Sequence", struct.pack(">i", 7)),
    ("checksum", b"\xff\x00\xfe"),
    ("hop", b"a"),
    ("hop", b"b"),
    ("empty", b""),
]
STACK = """org.springframework.kafka.listener.ListenerExecutionFailedException: Listener method could not be invoked
\tat org.springframework.kafka.listener.adapter.MessagingMessageListenerAdapter.invokeHandler(M.java:381)
Caused by: shop.shipping.CarrierTimeout: The carrier did not answer in 3 s
\tat shop.shipping.Labels.book(Labels.java:88)
\t... 14 more
"""


@pytest.fixture
def dead(shop: KafkaSource) -> Iterator[Desk]:
    """A topic of orders with three partitions, and the desk of its dead-letter topic."""
    shop.make(partitions=3)
    topic = shop.make(f"{shop.topic}-dlt", partitions=3)
    with desk(shop.name, Kind.KAFKA, **shop.config | {"topics": [topic]}) as opened:
        yield opened


def records(shop: KafkaSource, topic: str | None = None) -> list[Message]:
    """Everything that is in a topic, the oldest first."""
    consumer = Consumer({**shop.client, "group.id": f"{shop.name}-look", "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic or shop.topic, n, 0) for n in range(3)]
        count = sum(consumer.get_watermark_offsets(place, timeout=20)[1] for place in places)
        consumer.assign(places)
        found: list[Message] = []
        while len(found) < count:
            record = consumer.poll(20)
            assert record is not None, f"{len(found)} of {count} records came"
            assert record.error() is None
            found.append(record)
        return sorted(found, key=lambda record: record.timestamp()[1])
    finally:
        consumer.close()


def headers_of(record: Message) -> Headers:
    return [(name, value or b"") for name, value in record.headers() or []]


def originals(record: Message, prefix: str) -> Headers:
    """Where the record was, as Spring tells it."""
    return [
        (f"{prefix}original-topic", record.topic().encode()),
        (f"{prefix}original-partition", struct.pack(">i", record.partition())),
        (f"{prefix}original-offset", struct.pack(">q", record.offset())),
        (f"{prefix}original-timestamp", struct.pack(">q", record.timestamp()[1])),
        (f"{prefix}original-timestamp-type", b"CreateTime"),
        (f"{prefix}original-consumer-group", b"shipping"),
    ]


def exception(prefix: str) -> Headers:
    """What the listener died of, as Spring tells it."""
    return [
        (
            f"{prefix}exception-fqcn",
            b"org.springframework.kafka.listener.ListenerExecutionFailedException",
        ),
        (f"{prefix}exception-cause-fqcn", b"shop.shipping.CarrierTimeout"),
        (f"{prefix}exception-message", b"Listener method could not be invoked"),
        (f"{prefix}exception-stacktrace", STACK.encode()),
    ]


def put(shop: KafkaSource, record: Message, topic: str, headers: Headers, partition: int) -> None:
    shop.put(record.value(), topic=topic, partition=partition, key=record.key(), headers=headers)


def spring_gives_up(shop: KafkaSource, record: Message) -> None:
    """The error handler, after three deliveries: into the same partition of the dead-letter topic."""
    delivered: Headers = [("kafka_deliveryAttempt", struct.pack(">i", n)) for n in (1, 2, 3)]
    told = [*headers_of(record), *delivered, *exception("kafka_dlt-"), *originals(record, "kafka_dlt-")]
    put(shop, record, f"{shop.topic}-dlt", told, record.partition())


def spring_moves_on(shop: KafkaSource, record: Message, topic: str) -> Message:
    """A retry topic's hop: the origin stays what it was, the error and the count are new; the record there."""
    before = headers_of(record)
    names = [name for name, _ in before]
    kept = [
        pair for pair in before if not pair[0].startswith(("kafka_exception-", "retry_topic-"))
    ] + exception("kafka_")
    if "kafka_original-topic" not in names:
        kept += originals(record, "kafka_")
    attempts = struct.unpack(">i", dict(before).get("retry_topic-attempts", struct.pack(">i", 1)))[0]
    at = record.timestamp()[1].to_bytes(6, "big")
    kept += [
        ("retry_topic-original-timestamp", dict(before).get("retry_topic-original-timestamp", at)),
        ("retry_topic-attempts", struct.pack(">i", attempts + 1)),
        ("retry_topic-backoff-timestamp", at),
    ]
    put(shop, record, topic, kept, record.partition())
    return records(shop, topic)[-1]


def connect_gives_up(shop: KafkaSource, record: Message) -> None:
    """A sink that cannot convert the value: without a partition of its own, with the key and all headers."""
    before = headers_of(record)
    told = {
        "topic": record.topic(),
        "partition": str(record.partition()),
        "offset": str(record.offset()),
        "connector.name": "orders-to-warehouse",
        "task.id": "0",
        "stage": "VALUE_CONVERTER",
        "class.name": "org.apache.kafka.connect.json.JsonConverter",
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": "Converting byte[] to Kafka Connect data failed due to serialization error: ",
        "exception.stacktrace": "org.apache.kafka.connect.errors.DataException: Converting byte[] …\n\tat …\n",
    }
    names = {name for name, _ in before}
    added = [(f"__connect.errors.{name}", value.encode()) for name, value in told.items()]
    put(shop, record, f"{shop.topic}-dlt", [*before, *(new for new in added if new[0] not in names)], -1)


def check_is_back(shop: KafkaSource, told: dict[str, str]) -> Message:
    """That the retry is at its origin, once, just as the original is; the record."""
    original, again = records(shop)
    assert (again.topic(), again.partition(), again.key()) == (shop.topic, original.partition(), KEY)
    assert again.value() == original.value()
    assert headers_of(again) == [*OWN, *((name, value.encode()) for name, value in told.items())]
    return again


def test_a_record_that_spring_gave_up_goes_back_to_its_partition_and_returns(
    shop: KafkaSource, dead: Desk
) -> None:
    shop.put(ORDER, partition=2, key=KEY, headers=OWN)
    spring_gives_up(shop, records(shop)[0])
    dead.take_in()

    dead.check_shown(
        topic=shop.topic,
        partition=2,
        key="customer-7",
        event_id="evt-8412",
        event_type="order.placed",
        failed_in="shipping",
        error_class="shop.shipping.CarrierTimeout",
        error_message="The carrier did not answer in 3 s",
        attempts=3,
    )
    assert dead.letter().group.title == "CarrierTimeout: The carrier did not answer in … s"
    assert "shipping gave up on order.placed after 3 attempts." in dead.page()
    assert "shop.shipping.Labels.book(Labels.java:88)" in dead.page()
    assert f"topic {shop.topic} (Kafka)" in dead.sheet()

    again = check_is_back(shop, dead.retry())
    spring_gives_up(shop, again)
    dead.take_in()
    dead.check_came_back(attempt=4)


def test_a_record_that_went_through_springs_retry_topics_goes_back_to_where_it_began(
    shop: KafkaSource, dead: Desk
) -> None:
    def die(record: Message) -> None:
        for topic in hops:
            record = spring_moves_on(shop, record, topic)

    hops = [shop.make(f"{shop.topic}-retry-{n}", partitions=3) for n in range(2)] + [f"{shop.topic}-dlt"]
    shop.put(ORDER, partition=1, key=KEY, headers=OWN)
    die(records(shop)[0])
    dead.take_in()

    dead.check_shown(
        topic=shop.topic,
        partition=1,
        event_id="evt-8412",
        failed_in="shipping",
        error_class="shop.shipping.CarrierTimeout",
        error_message="The carrier did not answer in 3 s",
        attempts=3,
    )

    again = check_is_back(shop, dead.retry())
    assert len(records(shop, hops[0])) == 1
    die(again)
    dead.take_in()
    dead.check_came_back(attempt=4)


def test_a_dead_letter_that_died_again_of_its_dead_letter_topic_goes_back_to_the_root(
    shop: KafkaSource, dead: Desk
) -> None:
    """A service reads the dead-letter topic, and fails: Spring appends the new origin behind the first."""
    shop.put(ORDER, partition=2, key=KEY, headers=OWN)
    [root] = records(shop)
    first = [*headers_of(root), *exception("kafka_dlt-"), *originals(root, "kafka_dlt-")]
    middle = shop.make(f"{shop.topic}.late", partitions=3)
    put(shop, root, middle, first, 0)
    spring_gives_up(shop, records(shop, middle)[0])
    dead.take_in()
    dead.check_shown(topic=shop.topic, partition=2, failed_in="shipping", attempts=3)
    check_is_back(shop, dead.retry())


@pytest.mark.parametrize("body", [ORDER, b'{"order_id": 8412, "total": \xff'], ids=["event", "unreadable"])
def test_a_record_that_kafka_connect_could_not_convert_goes_back_and_returns(
    shop: KafkaSource, dead: Desk, body: bytes
) -> None:
    shop.put(body, partition=2, key=KEY, headers=OWN)
    connect_gives_up(shop, records(shop)[0])
    dead.take_in()

    dead.check_shown(
        topic=shop.topic,
        partition=2,
        key="customer-7",
        failed_in="orders-to-warehouse",
        error_class="org.apache.kafka.connect.errors.DataException",
        attempts=1,
    )
    assert dead.letter().event_type == ("order.placed" if body == ORDER else None)
    assert "Converting byte[] to Kafka Connect data failed due to serialization error" in dead.page()
    assert dead.letter().group.title.startswith(
        "DataException: Converting byte[] to Kafka Connect data failed"
    )

    again = check_is_back(shop, dead.retry())
    connect_gives_up(shop, again)
    dead.take_in()
    dead.check_came_back(attempt=2)
