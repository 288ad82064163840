import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.models import Kind, Source
from eventhub.events import mapping
from eventhub.events.aws_envelopes import unwrap
from eventhub.events.decoding import decode
from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message
from eventhub.events.reading import Reader
from eventhub.ingest.pipeline import Pipeline

TOPIC = "arn:aws:sns:eu-central-1:123456789012:shop-orders"
QUEUE_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NATIVE = {
    "event_id": "e-1",
    "event_type": "order.placed",
    "timestamp": "2026-11-24T10:00:00Z",
    "data": {"total": 12.5},
    "metadata": {"source": "order"},
}
CLOUD = {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "order.placed", "data": {"n": 1}}
BRIDGED = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "Order Placed",
    "source": "com.example.shop",
    "account": "111122223333",
    "time": "2026-11-24T10:00:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:dynamodb:eu-central-1:111122223333:table/orders"],
    "detail": {"order_id": 8412, "total": 12.50},
}


def message(body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(raw, "orders", "m-1", "sqs:shop/orders/m-1", headers, timestamp=QUEUE_TIME)


def notification(inner, **more):
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": inner if isinstance(inner, str) else json.dumps(inner),
        "Timestamp": "2026-11-24T10:00:00.500Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/cert.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        **more,
    }


@pytest.mark.parametrize("inner", [NATIVE, CLOUD, BRIDGED], ids=["native", "CloudEvent", "EventBridge"])
def test_an_event_published_to_sns_is_the_event_that_was_published(inner):
    published, direct = decode(message(notification(inner))), decode(message(inner))
    for field in ("event_id", "event_type", "data", "source", "metadata"):
        assert getattr(published, field) == getattr(direct, field)


def test_the_attributes_of_a_notification_are_headers_and_its_place_is_kept():
    attributes = {
        "X-Correlation-Id": {"Type": "String", "Value": "c-9"},
        "attempt": {"Type": "Number", "Value": "3"},
        "tags": {"Type": "String.Array", "Value": '["a","b"]'},
        "digest": {"Type": "Binary", "Value": base64.b64encode(b"\xff\x00").decode()},
        "name": {"Type": "Binary", "Value": base64.b64encode("Zoë".encode()).decode()},
    }
    wrapped = message(
        notification(
            NATIVE, MessageAttributes=attributes, Subject="Hello", SequenceNumber="10000000000000003"
        ),
        fromqueue="1",
    )
    opened = unwrap(wrapped)
    assert json.loads(opened.body) == NATIVE
    assert opened.header_pairs() == (
        ("fromqueue", "1"),
        ("X-Correlation-Id", "c-9"),
        ("attempt", "3"),
        ("tags", '["a","b"]'),
        ("digest", "base64:/wA="),
        ("name", "Zoë"),
        ("x-amz-sns-topic-arn", TOPIC),
        ("x-amz-sns-message-id", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"),
        ("x-amz-sns-subject", "Hello"),
    )
    assert opened.properties == {
        "SNS.TopicArn": TOPIC,
        "SNS.MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "SNS.Timestamp": "2026-11-24T10:00:00.500000+00:00",
        "SNS.SequenceNumber": "10000000000000003",
    }
    event = decode(wrapped)
    assert event.correlation_id == "c-9"
    assert event.headers == opened.header_pairs()


def test_what_has_no_id_or_time_of_its_own_gets_the_notifications_in_whichever_queue_it_comes():
    inner = {"event_type": "order.placed", "data": 1}
    orders = message(notification(inner))
    audit = Message(orders.body, "audit", "m-2", "sqs:shop/audit/m-2", timestamp=QUEUE_TIME)
    for each in (orders, audit):
        event = decode(each)
        assert event.event_id == "sns:22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"
        assert event.occurred_at == datetime(2026, 11, 24, 10, 0, 0, 500_000, tzinfo=UTC)
        assert (event.has_producer_id, event.has_producer_time) == (False, False)


def test_a_binary_cloudevent_travels_in_the_attributes_of_sns():
    attributes = {
        f"ce-{name}": {"Type": "String", "Value": value}
        for name, value in {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "a"}.items()
    }
    event = decode(message(notification('{"n": 1}', MessageAttributes=attributes)))
    assert (event.event_id, event.event_type, event.data) == ("ce-1", "a", '{"n": 1}')


@pytest.mark.parametrize(
    ("inner", "kind", "words"),
    [
        ("plain words", "NotJson", "In the SNS notification"),
        ("", "NotJson", "empty"),
        ({"what": "ever"}, "NotAnEvent", "It has: what"),
        ([NATIVE], "NotAnObject", "not an object"),
    ],
)
def test_what_was_published_to_sns_and_is_no_event_says_so(inner, kind, words):
    with pytest.raises(Undecodable) as caught:
        decode(message(notification(inner)))
    assert caught.value.kind == kind
    assert words in caught.value.reason


@pytest.mark.parametrize(
    "more",
    [{"Message": {"a": 1}}, {"Timestamp": "yesterday"}, {"MessageAttributes": []}, {"MessageId": None}],
    ids=str,
)
def test_a_notification_that_sns_would_not_write_is_refused_and_named(more):
    with pytest.raises(Undecodable) as caught:
        decode(message(notification(NATIVE, **more)))
    assert caught.value.kind == "WrongType"
    assert next(iter(more)) in caught.value.reason


def test_an_event_that_only_mentions_sns_is_left_alone():
    event = NATIVE | {"data": {"TopicArn": TOPIC, "MessageId": "1", "Message": "m"}}
    assert unwrap(message(event)) is not None
    assert unwrap(message(event)).body == message(event).body
    assert decode(message(event)).event_type == "order.placed"


def test_a_mapping_reads_what_was_published_not_the_notification():
    shop = {"kind": "order.placed", "no": 7, "at": "2026-11-24T10:00:00Z"}
    reader = Reader(
        mapping.parse({"event_type": "body.kind", "event_id": "headers.no", "timestamp": "body.at"})
    )
    wrapped = notification(shop, MessageAttributes={"no": {"Type": "Number", "Value": "7"}})
    event = reader.read(message(wrapped))
    assert (event.event_type, event.event_id) == ("order.placed", "7")
    suggested = mapping.suggest([message(notification(shop | {"no": n})) for n in range(5)]).mapping
    assert Reader(suggested).read(message(wrapped)).event_type == "order.placed"


def test_an_eventbridge_event_is_read_whole():
    event = decode(message(BRIDGED))
    assert event.event_id == BRIDGED["id"]
    assert (event.event_type, event.source) == ("Order Placed", "com.example.shop")
    assert event.occurred_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert json.loads(event.data) == BRIDGED["detail"]
    assert json.loads(event.metadata) == {
        name: BRIDGED[name] for name in ("version", "source", "account", "region", "resources")
    }
    assert (event.has_producer_id, event.has_producer_time) == (True, True)


@pytest.mark.parametrize("inner", [NATIVE, CLOUD], ids=["native", "CloudEvent"])
def test_an_event_in_the_detail_is_that_event_and_what_is_around_it_is_kept(inner):
    event = decode(message(BRIDGED | {"detail": inner}))
    assert event.event_id == decode(message(inner)).event_id
    assert event.event_type == "order.placed"
    assert ("eventbridge-detail-type", "Order Placed") in event.headers
    assert ("eventbridge-id", BRIDGED["id"]) in event.headers


def test_an_event_in_the_detail_without_id_and_time_has_those_around_it():
    event = decode(message(BRIDGED | {"detail": {"event_type": "a", "data": 1}}))
    assert event.event_id == f"eventbridge:{BRIDGED['id']}"
    assert event.occurred_at == datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def test_a_detail_that_only_has_a_field_called_event_type_is_data():
    event = decode(message(BRIDGED | {"detail": {"event_type": "click", "x": 1}}))
    assert event.event_type == "Order Placed"
    assert json.loads(event.data) == {"event_type": "click", "x": 1}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"detail-type": ""}, "MissingField", "detail-type"),
        ({"source": 7}, "WrongType", "source"),
        ({"time": "noon"}, "BadTime", "noon"),
        ({"time": 5}, "BadTime", "5"),
        ({"detail": "\x00"}, "NulCharacter", "u0000"),
        ({"region": "\x00"}, "NulCharacter", "u0000"),
        ({"id": "x" * 501}, "TooLong", "id"),
    ],
    ids=str,
)
def test_an_eventbridge_event_with_a_mistake_is_refused_and_the_field_named(change, kind, words):
    with pytest.raises(Undecodable) as caught:
        decode(message(BRIDGED | change))
    assert caught.value.kind == kind
    assert words in caught.value.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*notification({}), *BRIDGED, "MessageAttributes", "Subject"]), JSON),
    st.sampled_from([notification(NATIVE), notification(BRIDGED), BRIDGED]),
)
def test_whatever_is_changed_in_an_envelope_it_is_an_event_or_refused(change, whole):
    body = json.dumps(whole | change).encode()
    try:
        event = decode(message(body))
    except Undecodable:
        return
    assert event.event_type
    json.loads(event.data)


@pytest.mark.django_db
def test_the_headers_in_the_notification_are_stored_and_a_dead_letter_keeps_the_whole_notification():
    source = Source.objects.create(name="sns", kind=Kind.SQS, config={"queues": ["orders"]})
    attributes = {"tenant": {"Type": "String", "Value": "acme"}}
    event_id = str(uuid4())
    good = message(notification(NATIVE | {"event_id": event_id}, MessageAttributes=attributes))
    bad = message(notification("no event", MessageAttributes=attributes))
    pipeline = Pipeline(source)
    batch = pipeline.prepare([good, bad])
    assert [letter.message for letter in batch.letters] == [bad]
    pipeline.write(batch)
    with connection.cursor() as cursor:
        cursor.execute("SELECT headers FROM events_event WHERE event_id = %s", [event_id])
        [(headers,)] = cursor.fetchall()
    assert json.loads(headers)["tenant"] == "acme"
    assert json.loads(headers)["x-amz-sns-topic-arn"] == TOPIC
