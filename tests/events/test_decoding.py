import json
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.decoding import decode, split
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message

BROKER_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NATIVE = {
    "event_id": "e-1",
    "event_type": "order.placed",
    "event_version": "2",
    "timestamp": "2026-11-24T10:00:00.250+01:00",
    "data": {"total": 12.50},
    "metadata": {
        "source": "order",
        "correlation_id": "c-1",
        "causation_id": "e-0",
        "stream": "order-8412",
        "stream_version": 3,
        "tenant": "acme",
    },
}
CLOUD = {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "order.placed"}


def message(body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message(raw, "orders", "7-0", "redis:shop/orders/7-0", named, timestamp=BROKER_TIME)


def refusal(body, **headers):
    with pytest.raises(Undecodable) as caught:
        decode(message(body, **headers))
    return caught.value


def test_a_native_event_is_read_whole():
    event = decode(message(NATIVE))
    assert event == Event(
        event_id="e-1",
        event_type="order.placed",
        occurred_at=datetime(2026, 11, 24, 9, 0, 0, 250_000, tzinfo=UTC),
        data='{"total": 12.5}',
        metadata=json.dumps(NATIVE["metadata"]),
        event_version="2",
        source="order",
        correlation_id="c-1",
        causation_id="e-0",
        stream="order-8412",
        stream_version=3,
    )


def test_the_payload_keeps_every_digit():
    body = b'{"event_type": "a", "data": {"amount": 0.10000000000000000555, "id": 12345678901234567890}}'
    assert decode(message(body)).data == '{"amount": 0.10000000000000000555, "id": 12345678901234567890}'


def test_a_missing_id_is_the_place_in_the_broker_and_a_missing_time_the_brokers():
    event = decode(message({"event_type": "order.placed"}))
    assert (event.event_id, event.has_producer_id) == ("redis:shop/orders/7-0", False)
    assert (event.occurred_at, event.has_producer_time) == (BROKER_TIME, False)


def test_unknown_fields_move_into_the_metadata():
    event = decode(message(NATIVE | {"region": {"eu": True}}))
    assert json.loads(event.metadata) == NATIVE["metadata"] | {"region": {"eu": True}}
    assert event.event_id == "e-1"


def test_a_version_may_be_a_number():
    assert decode(message(NATIVE | {"event_version": 3})).event_version == "3"


def test_a_structured_cloudevent_is_read_with_its_extensions():
    extensions = {"correlationid": "c", "causationid": "z", "subject": "order-1", "sequence": "4"}
    event = decode(message(CLOUD | extensions | {"time": "2026-11-24T10:00:00Z", "data": {"a": 1}}))
    assert (event.event_id, event.source, event.correlation_id, event.causation_id) == (
        "ce-1",
        "/shop",
        "c",
        "z",
    )
    assert (event.stream, event.stream_version, event.data) == ("order-1", 4, '{"a": 1}')
    assert json.loads(event.metadata)["specversion"] == "1.0"


@pytest.mark.parametrize("prefix", ["ce-", "ce_", "cloudevents:", "cloudevents_"])
def test_a_binary_cloudevent_is_read_with_the_headers_of_every_broker(prefix):
    headers = {f"{prefix}{name}": value for name, value in CLOUD.items()} | {
        "content-type": "application/json"
    }
    event = decode(Message(b'{"a":1}', "t", "1", "k", headers, timestamp=BROKER_TIME))
    assert (event.event_id, event.data) == ("ce-1", '{"a":1}')


def test_cloudevent_data_in_base64_becomes_json_where_it_is_declared_so():
    assert decode(message(CLOUD | {"data_base64": "eyJhIjoxfQ=="})).data == '{"a":1}'
    png = CLOUD | {"datacontenttype": "image/png", "data_base64": "iVBORw0KGgo="}
    assert decode(message(png)).data == '"iVBORw0KGgo="'


@pytest.mark.parametrize("bare", [{"event_type": "a"}, CLOUD], ids=["native", "CloudEvent"])
def test_correlation_falls_back_to_the_property_of_amqp_which_a_conversation_does_not_outrank(bare):
    amqp = msgspec.structs.replace(message(bare), properties={"correlation_id": "amqp-7"})
    assert decode(amqp).correlation_id == "amqp-7"
    within = msgspec.structs.replace(amqp, headers={"nservicebus.conversationid": "n-1"})
    assert decode(within).correlation_id == "amqp-7"
    told = msgspec.structs.replace(amqp, headers={"x-correlation-id": "x-1"})
    assert decode(told).correlation_id == "x-1"
    conversation = msgspec.structs.replace(message(bare), headers={"nservicebus.conversationid": "n-1"})
    assert decode(conversation).correlation_id == "n-1"


def test_correlation_falls_back_to_traceparent_and_to_headers():
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    assert decode(message(CLOUD | {"traceparent": parent})).correlation_id == "a" * 32
    bare = {"event_type": "a"}
    assert decode(message(bare, traceparent=parent)).correlation_id == "a" * 32
    assert decode(message(bare, correlation_id="amqp-7")).correlation_id == "amqp-7"
    assert decode(message(bare, traceparent=f"00-{'0' * 32}-{'b' * 16}-01")).correlation_id is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "NotJson"),
        (b"   ", "NotJson"),
        (b'{"event_type": "a"', "NotJson"),
        (b"\xff\xfe\x00", "NotUtf8"),
        (b"\x00\x01\x02", "NotJson"),
        (b'{"event_type": "a", "data": NaN}', "NotJson"),
        (b'{"event_type": "a", "data": "\\ud800"}', "NotJson"),
        (b'"text"', "NotAnObject"),
        (b"[]", "NotAnObject"),
        (b"{}", "NotAnEvent"),
        (b"[" * 100_000, "TooDeep"),
        (b'{"event_type": "a", "data": ' + b"[" * 100_000, "TooDeep"),
        ({"event_type": 7}, "WrongType"),
        ({"event_type": None}, "WrongType"),
        ({"event_type": "a", "metadata": []}, "WrongType"),
        ({"event_type": "a", "metadata": {"correlation_id": 5}}, "WrongType"),
        ({"event_type": ""}, "MissingField"),
        ({"event_type": "a", "timestamp": "yesterday"}, "WrongType"),
        ({"event_type": "a", "timestamp": "0001-01-01T00:00:00+10:00"}, "BadTime"),
        ({"event_type": "a\nb"}, "ControlCharacter"),
        ({"event_type": "a" * 501}, "TooLong"),
        ({"event_type": "a", "metadata": {"stream_version": -1}}, "OutOfRange"),
        ({"event_type": "a", "metadata": {"stream_version": 2**64}}, "OutOfRange"),
        (b'{"event_type": "a", "data": "\\u0000"}', "NulCharacter"),
        (b'{"event_type": "a", "metadata": {"k": "\\u0000"}}', "NulCharacter"),
        (CLOUD | {"specversion": "0.3"}, "UnknownVersion"),
        (CLOUD | {"id": ""}, "MissingField"),
        (CLOUD | {"time": "later"}, "BadTime"),
        (CLOUD | {"data_base64": "%"}, "NotBase64"),
        (CLOUD | {"region": {"a": 1}}, "WrongType"),
        (CLOUD | {"sequence": "9" * 5000}, "OutOfRange"),
        (b'{"event_type": "a", "event_version": ' + b"9" * 5000 + b"}", "WrongType"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(body, kind):
    error = refusal(body)
    assert error.kind == kind, error.reason
    assert error.reason.endswith(".")


def test_a_backslash_before_u0000_is_no_nul_character():
    assert decode(message(b'{"event_type": "a", "data": "\\\\u0000"}')).data == '"\\\\u0000"'


def test_a_body_beyond_the_limit_is_refused(settings):
    settings.INGEST_MAX_BODY_BYTES = 100
    assert refusal({"event_type": "a", "data": "x" * 100}).kind == "TooLarge"


def test_an_array_holds_one_message_in_each_element():
    parts = split(message([NATIVE, CLOUD, 5]))
    assert [part.origin_key for part in parts] == [f"redis:shop/orders/7-0#{n}" for n in range(3)]
    assert [decode(part).event_id for part in parts[:2]] == ["e-1", "ce-1"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_no_bytes_can_make_decoding_fail_in_another_way(body):
    for part in split(message(body)):
        with suppress(Undecodable):
            decode(part)


@given(st.dictionaries(st.sampled_from([*NATIVE, *CLOUD, "x"]), json_values))
def test_no_json_object_can_make_decoding_fail_in_another_way(fields):
    with suppress(Undecodable):
        decode(message(fields))


@given(json_values)
def test_data_is_kept_as_it_was_written(data):
    body = {"event_type": "a", "data": data}
    if "\\u0000" in json.dumps(body):
        return
    assert json.loads(decode(message(body)).data) == data
