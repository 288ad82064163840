import struct

import pytest

from dlq.formats import Origin
from tests.dlq.formats.dead import dead, death, kept

STACK = """org.springframework.kafka.listener.ListenerExecutionFailedException: Listener failed
\tat org.springframework.kafka.listener.KafkaMessageListenerContainer.decorateException(K.java:2894)
Caused by: shop.CarrierTimeout: The carrier did not answer in 3 s
\tat shop.Shipping.handle(Shipping.java:88)
\t... 20 more
"""
SPRING = [
    ("kafka_dlt-exception-fqcn", "org.springframework.kafka.listener.ListenerExecutionFailedException"),
    ("kafka_dlt-exception-cause-fqcn", "shop.CarrierTimeout"),
    ("kafka_dlt-exception-message", "Listener failed"),
    ("kafka_dlt-exception-stacktrace", STACK),
    ("kafka_dlt-original-topic", "orders"),
    ("kafka_dlt-original-partition", struct.pack(">i", 3)),
    ("kafka_dlt-original-offset", struct.pack(">q", 41)),
    ("kafka_dlt-original-timestamp", struct.pack(">q", 1795514400000)),
    ("kafka_dlt-original-timestamp-type", "CreateTime"),
    ("kafka_dlt-original-consumer-group", "shipping"),
]


def test_spring_tells_the_listeners_own_error_and_where_the_record_was():
    found = death(*SPRING, topic="orders-dlt")
    assert (found.error_class, found.error_message) == (
        "shop.CarrierTimeout",
        "The carrier did not answer in 3 s",
    )
    assert (found.stack, found.failed_in) == (STACK, "shipping")
    assert found.origin == Origin("orders", 3)
    assert found.attempts == 1


def test_an_error_that_is_not_wrapped_is_itself():
    found = death(
        ("kafka_dlt-exception-fqcn", "shop.Bad"),
        ("kafka_dlt-exception-cause-fqcn", "x.Y"),
        ("kafka_dlt-exception-message", "no"),
    )
    assert (found.error_class, found.error_message) == ("shop.Bad", "no")


def test_of_repeated_headers_the_first_is_the_root_and_the_last_the_latest_error():
    found = death(
        ("kafka_dlt-original-topic", "orders"),
        ("kafka_dlt-original-partition", struct.pack(">i", 3)),
        ("kafka_dlt-exception-fqcn", "shop.First"),
        ("kafka_dlt-original-topic", "orders-dlt"),
        ("kafka_dlt-original-partition", struct.pack(">i", 0)),
        ("kafka_dlt-exception-fqcn", "shop.Latest"),
    )
    assert (found.origin, found.error_class) == (Origin("orders", 3), "shop.Latest")


def test_retry_topics_use_the_names_without_dlt_and_count_the_attempts():
    found = death(
        ("kafka_original-topic", "orders"),
        ("kafka_original-partition", struct.pack(">i", 257)),
        ("kafka_exception-fqcn", "shop.Bad"),
        ("kafka_exception-message", "no"),
        ("kafka_dlt-original-consumer-group", "shipping"),
        ("retry_topic-attempts", struct.pack(">i", 4)),
        ("retry_topic-backoff-timestamp", struct.pack(">q", 1795514400000)),
        topic="orders-dlt",
    )
    assert (found.origin, found.attempts, found.failed_in) == (Origin("orders", 257), 3, "shipping")
    assert (found.error_class, found.error_message) == ("shop.Bad", "no")


@pytest.mark.parametrize(
    ("name", "value", "attempts"),
    [
        # The number of the attempt to come, also on the dead-letter topic, where none comes.
        ("retry_topic-attempts", struct.pack(">i", 2), 1),
        ("retry_topic-attempts", struct.pack(">i", 258), 257),
        ("retry_topic-attempts", b"\x05", 4),
        ("retry_topic-attempts", struct.pack(">i", -3), 1),
        ("retry_topic-attempts", b"\x00\x05", 1),
        ("kafka_deliveryAttempt", struct.pack(">i", 10), 10),
        ("kafka_deliveryAttempt", b"", 1),
    ],
)
def test_springs_attempts_are_those_that_failed(name, value, attempts):
    assert death(*SPRING, (name, value), topic="orders-dlt").attempts == attempts


def test_a_key_that_could_not_be_read_is_told_too():
    found = death(
        ("kafka_dlt-key-exception-fqcn", "x.Deserialization"), ("kafka_dlt-key-exception-message", "bad key")
    )
    assert (found.error_class, found.error_message) == ("x.Deserialization", "bad key")


@pytest.mark.parametrize(
    ("topic", "origin"),
    [
        ("orders-dlt", "orders"),
        ("orders.DLT", "orders"),
        ("orders-retry-2", "orders"),
        ("orders-retry", "orders"),
        ("dead", ""),
    ],
)
def test_without_its_header_the_origin_is_told_by_the_topics_name(topic, origin):
    assert death(("kafka_dlt-exception-fqcn", "shop.Bad"), topic=topic).origin.topic == origin


def test_springs_headers_are_not_sent_again():
    message = dead(
        *SPRING,
        ("retry_topic-attempts", b"\x00\x00\x00\x01"),
        ("kafka_exception-fqcn", "x"),
        ("kafka_deliveryAttempt", struct.pack(">i", 10)),
        ("kafka_listenerInfo", "shipping"),
        ("ce_id", "1"),
    )
    assert kept(message) == ["ce_id"]


CONNECT = [
    ("__connect.errors.topic", "orders"),
    ("__connect.errors.partition", "12"),
    ("__connect.errors.offset", "41"),
    ("__connect.errors.connector.name", "jdbc-sink"),
    ("__connect.errors.task.id", "0"),
    ("__connect.errors.stage", "VALUE_CONVERTER"),
    ("__connect.errors.class.name", "org.apache.kafka.connect.json.JsonConverter"),
    ("__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException"),
    ("__connect.errors.exception.message", "Converting byte[] to Kafka Connect data failed"),
    ("__connect.errors.exception.stacktrace", "org.apache…"),
]


def test_connect_tells_its_connector_and_the_errors_class_not_the_executing_one():
    found = death(*CONNECT)
    assert found.error_class == "org.apache.kafka.connect.errors.DataException"
    assert found.error_message == "Converting byte[] to Kafka Connect data failed"
    assert (found.stack, found.failed_in, found.origin) == ("org.apache…", "jdbc-sink", Origin("orders", 12))
    assert kept(dead(*CONNECT, ("x", "1"))) == ["x"]


def test_connect_without_an_error_tells_the_stage():
    found = death(*[pair for pair in CONNECT if "exception" not in pair[0]])
    assert found.error_message == (
        "The connector failed in the stage VALUE_CONVERTER, in org.apache.kafka.connect.json.JsonConverter."
    )


def test_connects_unknown_origin_is_unknown():
    found = death(
        ("__connect.errors.topic", ""),
        ("__connect.errors.partition", "-1"),
        ("__connect.errors.offset", "-1"),
    )
    assert found.origin == Origin()


STREAMS = [
    ("__streams.errors.exception", "java.lang.IllegalStateException"),
    ("__streams.errors.message", "no such order"),
    ("__streams.errors.stacktrace", "java.lang…"),
    ("__streams.errors.topic", "orders"),
    ("__streams.errors.partition", "2"),
    ("__streams.errors.offset", "41"),
]


def test_streams_tells_its_error_and_origin():
    found = death(*STREAMS)
    assert (found.error_class, found.error_message) == ("java.lang.IllegalStateException", "no such order")
    assert (found.stack, found.origin) == ("java.lang…", Origin("orders", 2))
    assert kept(dead(*STREAMS, ("x", "1"))) == ["x"]


def test_class_and_message_in_one_header_are_told_apart():
    found = death(("__streams.errors.exception", "java.lang.IllegalStateException: no such order: 7"))
    assert (found.error_class, found.error_message) == ("java.lang.IllegalStateException", "no such order: 7")


def test_the_older_names_of_streams_are_read_too():
    found = death(
        ("__streams.errors.exception.class.name", "x.Y"),
        ("__streams.errors.exception.message", "no"),
        ("__streams.errors.exception.stack_trace", "at x"),
    )
    assert (found.error_class, found.error_message, found.stack) == ("x.Y", "no", "at x")
