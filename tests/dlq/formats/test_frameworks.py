import json
from datetime import UTC, datetime

from dlq.formats import Origin
from tests.dlq.formats.dead import FAILED_AT, dead, death, kept

AMQP = {"exchange": "", "routing_key": "error", "queue": "error"}
NSERVICEBUS = [
    ("NServiceBus.MessageId", "m-1"),
    ("NServiceBus.ConversationId", "c-1"),
    ("NServiceBus.RelatedTo", "m-0"),
    (
        "NServiceBus.EnclosedMessageTypes",
        "Shop.OrderPlaced, Shop.Messages, Version=1.0.0.0; Shop.IOrderEvent, Shop.Messages",
    ),
    ("NServiceBus.OriginatingEndpoint", "Sales"),
    ("NServiceBus.ProcessingEndpoint", "Shipping"),
    ("NServiceBus.TimeSent", "2026-11-24 09:00:00:250000 Z"),
    ("NServiceBus.FailedQ", "Shipping"),
    ("NServiceBus.TimeOfFailure", "2026-11-24 10:00:00:000000 Z"),
    ("NServiceBus.Retries", "2"),
    ("NServiceBus.Retries.Timestamp", "2026-11-24 09:30:00:000000 Z"),
    ("NServiceBus.FLRetries", "4"),
    ("NServiceBus.ExceptionInfo.ExceptionType", "System.TimeoutException"),
    ("NServiceBus.ExceptionInfo.Message", "The carrier did not answer"),
    ("NServiceBus.ExceptionInfo.StackTrace", "System.TimeoutException…"),
    ("NServiceBus.ExceptionInfo.Source", "Shop"),
]


def test_nservicebus_tells_its_failure_and_the_message():
    found = death(*NSERVICEBUS, properties=AMQP)
    assert (found.error_class, found.error_message) == (
        "System.TimeoutException",
        "The carrier did not answer",
    )
    assert (found.stack, found.failed_in, found.attempts) == ("System.TimeoutException…", "Shipping", 7)
    assert found.failed_at == FAILED_AT
    assert found.origin == Origin("Shipping", properties={"exchange": "", "routing_key": "Shipping"})
    event = found.event
    assert event is not None
    assert (event.event_id, event.event_type, event.source) == ("m-1", "Shop.OrderPlaced", "Sales")
    assert (event.correlation_id, event.causation_id, event.data) == ("c-1", "m-0", '{"order_id": 8412}')
    assert event.occurred_at == datetime(2026, 11, 24, 9, 0, 0, 250_000, tzinfo=UTC)


def test_the_queue_of_msmq_is_named_without_its_machine_and_elsewhere_a_queue_is_a_topic():
    assert death(("NServiceBus.FailedQ", "Shipping@SERVER1")).origin == Origin("Shipping")


def test_what_nservicebus_takes_off_is_not_sent_again():
    gone = ("Retries", "Retries.Timestamp", "FLRetries", "FailedQ", "TimeOfFailure", "ExceptionInfo.")
    assert kept(dead(*NSERVICEBUS)) == [
        name for name, _ in NSERVICEBUS if not name.removeprefix("NServiceBus.").startswith(gone)
    ]


MASSTRANSIT = [
    ("MT-Reason", "fault"),
    ("MT-Fault-ExceptionType", "System.TimeoutException"),
    ("MT-Fault-Message", "The carrier did not answer"),
    ("MT-Fault-StackTrace", "at Shop…"),
    ("MT-Fault-Timestamp", "2026-11-24T10:00:00.0000000Z"),
    ("MT-Fault-InputAddress", "rabbitmq://localhost/shop/ship%20order?durable=true"),
    ("MT-Fault-ConsumerType", "Shop.ShipOrderConsumer"),
    ("MT-Fault-MessageType", "Shop.OrderPlaced"),
    ("MT-Fault-RetryCount", "3"),
    ("MT-Host-MachineName", "server1"),
    ("Content-Type", "application/vnd.masstransit+json"),
]
ENVELOPE = {
    "messageId": "m-1",
    "conversationId": "c-1",
    "correlationId": "k-1",
    "initiatorId": "m-0",
    "sourceAddress": "rabbitmq://localhost/shop/sales?temporary=true",
    "destinationAddress": "rabbitmq://localhost/shop/Shop:OrderPlaced",
    "messageType": ["urn:message:Shop:OrderPlaced", "urn:message:Shop:IOrderEvent"],
    "sentTime": "2026-11-24T09:00:00.25Z",
    "message": {"order_id": 8412},
}


def test_masstransit_tells_its_fault_in_headers_and_the_message_in_its_envelope():
    found = death(*MASSTRANSIT, body=json.dumps(ENVELOPE).encode(), properties=AMQP)
    assert (found.error_class, found.error_message) == (
        "System.TimeoutException",
        "The carrier did not answer",
    )
    assert (found.stack, found.failed_in, found.attempts) == ("at Shop…", "Shop.ShipOrderConsumer", 4)
    assert found.failed_at == FAILED_AT
    assert found.origin == Origin("ship order", properties={"exchange": "", "routing_key": "ship order"})
    event = found.event
    assert event is not None
    assert (event.event_id, event.event_type, event.source) == ("m-1", "Shop:OrderPlaced", "sales")
    assert (event.correlation_id, event.causation_id, event.data) == ("c-1", "m-0", '{"order_id": 8412}')
    assert kept(dead(*MASSTRANSIT)) == ["Content-Type"]


def test_a_message_that_nobody_consumes_goes_back_by_the_name_of_its_queue():
    found = death(("MT-Reason", "dead-letter"), properties=AMQP | {"queue": "ship-order_skipped"})
    assert found.origin.properties == {"exchange": "", "routing_key": "ship-order"}
    assert found.error_message == "No consumer of the queue takes this message (dead-letter)."


def test_a_body_that_is_no_envelope_leaves_the_headers_type():
    found = death(*MASSTRANSIT, ("MessageId", "m-9"), body=b"\xff")
    assert found.event is not None
    assert (found.event.event_id, found.event.event_type, found.event.data) == (
        "m-9",
        "Shop.OrderPlaced",
        "null",
    )


SPRING_STACK = """org.springframework.amqp.rabbit.support.ListenerExecutionFailedException: Listener threw exception
\tat org.springframework.amqp…
Caused by: java.lang.IllegalStateException: wrapped
Caused by: shop.CarrierTimeout: The carrier did not answer
\tat shop.Shipping.handle(Shipping.java:88)
"""


def test_spring_amqp_tells_the_innermost_error_and_the_way_back():
    pairs = [
        ("x-exception-stacktrace", SPRING_STACK),
        ("x-exception-message", "The carrier did not answer"),
        ("x-original-exchange", "orders"),
        ("x-original-routingKey", "order.placed"),
    ]
    found = death(*pairs)
    assert (found.error_class, found.error_message) == ("shop.CarrierTimeout", "The carrier did not answer")
    assert found.origin == Origin("orders", properties={"exchange": "orders", "routing_key": "order.placed"})
    assert kept(dead(*pairs, ("x-tenant", "acme"))) == ["x-tenant"]
    assert death(pairs[0], ("x-original-exchange", ""), pairs[3]).origin.topic == "order.placed"


def test_sqs_tells_the_queue_and_how_often_it_was_received():
    arn = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
    found = death(
        properties={
            "DeadLetterQueueSourceArn": arn,
            "ApproximateReceiveCount": "4",
            "ApproximateFirstReceiveTimestamp": "1795514400000",
            "SentTimestamp": "1795514000000",
            "MessageGroupId": "order-8412",
        }
    )
    assert found.origin == Origin(arn)
    assert (found.failed_in, found.attempts, found.failed_at) == ("orders.fifo", 3, FAILED_AT)
    assert (
        found.error_message == "It was received 3 times from the queue orders.fifo, and no reader deleted it."
    )


def test_a_message_that_no_format_knows_tells_nothing():
    assert death(("x-tenant", "acme")) == death()
    assert not death().origin
