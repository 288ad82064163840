"""The Kafka and AMQP bindings, as the adapters deliver their messages: names in lower case, bytes as wire_text tells
them, AMQP's content type as the header content-type.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md
"""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.decoding import decode, split
from eventhub.events.envelope import Undecodable
from eventhub.events.tombstones import TOMBSTONE
from eventhub.events.wire_text import to_text
from tests.events.cloudevents.attributes import (
    BROKER_TIME,
    DATA,
    REQUIRED,
    ROWS,
    TRACE,
    check,
    data_id,
    message,
)

PREFIXES = {"Kafka": "ce_", "AMQP": "cloudevents:", "AMQP (JMS)": "cloudevents_"}


@pytest.fixture(params=PREFIXES.values(), ids=PREFIXES)
def prefix(request):
    return request.param


def binary(prefix, attributes, body=b"{}", content_type="application/json", **changed):
    headers = {f"{prefix}{name}": to_text(value.encode()) for name, value in attributes.items()}
    if content_type:
        headers["content-type"] = content_type
    return message(body, headers, **changed)


def refusal(came):
    with pytest.raises(Undecodable) as caught:
        decode(came)
    assert caught.value.reason.endswith(".")
    return caught.value


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_attribute_is_read_in_binary_mode(prefix, row):
    check(decode(binary(prefix, REQUIRED | {row.attribute: row.text})), row)


@pytest.mark.parametrize(("content_type", "body", "data"), DATA, ids=data_id)
def test_the_content_type_is_the_datacontenttype_and_tells_what_the_data_is(prefix, content_type, body, data):
    event = decode(binary(prefix, REQUIRED, body, content_type))
    assert event.data == data
    assert json.loads(event.metadata)["datacontenttype"] == content_type


@pytest.mark.parametrize(
    ("body", "data"), [(b'{"a": 1}', '{"a": 1}'), (b"{a", '"{a"'), (b"\x00\xff", '"AP8="')]
)
def test_data_without_a_content_type_is_what_it_looks_like(prefix, body, data):
    event = decode(binary(prefix, REQUIRED, body, None))
    assert (event.data, "datacontenttype" in event.metadata) == (data, False)


@pytest.mark.parametrize(
    ("content_type", "body"), [("application/json", b"{a"), ("a/b+json; charset=utf-8", b"\xff")]
)
def test_data_that_is_declared_to_be_json_and_is_not_is_refused(prefix, content_type, body):
    assert refusal(binary(prefix, REQUIRED, body, content_type)).kind in ("NotJson", "NotUtf8")


@pytest.mark.parametrize("missing", ["id", "source", "type"])
def test_what_is_required_must_be_there(prefix, missing):
    left = {name: value for name, value in REQUIRED.items() if name != missing}
    error = refusal(binary(prefix, left))
    assert (error.kind, missing in error.reason) == ("MissingField", True)


def test_another_major_version_is_refused(prefix):
    assert refusal(binary(prefix, REQUIRED | {"specversion": "2.0"})).kind == "UnknownVersion"


def test_headers_that_are_no_attributes_are_left_out(prefix):
    came = binary(prefix, REQUIRED)
    came.headers.update({"x-tenant": "acme", prefix: "nameless"})
    assert json.loads(decode(came).metadata) == REQUIRED | {"datacontenttype": "application/json"}


def test_the_messages_own_trace_stands_in_where_the_event_has_none(prefix):
    parent = f"00-{'b' * 32}-b9c7c989f97918e1-01"
    came = binary(prefix, REQUIRED)
    came.headers["traceparent"] = parent
    assert decode(came).correlation_id == "b" * 32
    came = binary(prefix, REQUIRED | {"traceparent": f"00-{TRACE}-b9c7c989f97918e1-01"})
    came.headers["traceparent"] = parent
    assert decode(came).correlation_id == TRACE


def test_the_key_of_the_record_is_its_own_and_the_partitionkey_stays_in_the_event():
    came = binary("ce_", REQUIRED | {"partitionkey": "customer-7"}, key="k")
    event = decode(came)
    assert (came.key, json.loads(event.metadata)["partitionkey"]) == ("k", "customer-7")


def test_a_message_without_a_value_is_an_event_without_data_and_no_tombstone():
    event = decode(binary("ce_", REQUIRED, b"", properties={TOMBSTONE: "true"}))
    assert (event.event_type, event.data) == ("order.placed", "null")


def test_a_kafka_header_that_is_not_utf8_is_refused_by_its_name():
    came = binary("ce_", REQUIRED)
    came.headers["ce_tenant"] = to_text(b"\xff")
    error = refusal(came)
    assert (error.kind, error.reason) == ("NotUtf8", "The header ce_tenant is not UTF-8.")


def test_text_that_looks_like_the_adapters_base64_stays_itself(prefix):
    assert json.loads(decode(binary(prefix, REQUIRED | {"x": "base64:AAAA"})).metadata)["x"] == "base64:AAAA"


def test_binary_values_of_amqp_are_base64():
    came = binary("cloudevents:", REQUIRED)
    came.headers["cloudevents:hash"] = to_text(b"\x00\x01\xff")
    assert json.loads(decode(came).metadata)["hash"] == base64.b64encode(b"\x00\x01\xff").decode()


STRUCTURED = [
    "application/cloudevents+json",
    "application/cloudevents+json; charset=UTF-8",
    "Application/CloudEvents+JSON",
]


@pytest.mark.parametrize("content_type", STRUCTURED)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_attribute_is_read_in_structured_mode(content_type, row):
    value = row.text if row.in_json is None else row.in_json
    body = json.dumps(REQUIRED | {row.attribute: value, "data": {}}, ensure_ascii=False).encode()
    check(decode(message(body, {"content-type": content_type})), row)


def test_structured_mode_is_known_by_itself_too():
    assert decode(message(json.dumps(REQUIRED).encode(), {})).event_id == "ce-1"


def test_a_structured_event_may_carry_the_headers_of_binary_mode(prefix):
    body = json.dumps(REQUIRED | {"id": "inside", "data": {"a": 1}}).encode()
    came = binary(prefix, REQUIRED | {"id": "outside"}, body, "application/cloudevents+json; charset=UTF-8")
    event = decode(came)
    assert (event.event_id, event.data) == ("inside", '{"a": 1}')


@pytest.mark.parametrize("media_type", ["application/cloudevents+avro", "application/cloudevents+protobuf"])
@pytest.mark.parametrize("body", [b"\x00\x01\xff", b"\x0a\x04ce-1"])
def test_another_event_format_is_refused_by_its_name(prefix, media_type, body):
    error = refusal(binary(prefix, REQUIRED, body, media_type))
    assert (error.kind, media_type in error.reason) == ("UnknownFormat", True)


def test_a_batch_holds_an_event_in_each_element_and_may_be_empty():
    headers = {"content-type": "application/cloudevents-batch+json; charset=UTF-8"}
    body = json.dumps([REQUIRED, REQUIRED | {"id": "ce-2", "datacontenttype": "text/plain", "data": "x"}])
    parts = split(message(body.encode(), headers))
    assert [decode(part).event_id for part in parts] == ["ce-1", "ce-2"]
    assert split(message(b" [ ] ", headers)) == []
    assert len(split(message(b"[]", {}))) == 1


def test_the_brokers_time_stands_in_where_the_event_has_none(prefix):
    event = decode(binary(prefix, REQUIRED))
    assert (event.occurred_at, event.has_producer_time) == (BROKER_TIME, False)


texts = st.text() | st.binary().map(to_text) | st.sampled_from([row.text for row in ROWS])
names = st.sampled_from([*REQUIRED, *(row.attribute for row in ROWS), "", "x"])
content_types = st.sampled_from([row[0] for row in DATA] + STRUCTURED) | st.text()


@given(
    st.sampled_from([*PREFIXES.values(), "ce-"]), st.dictionaries(names, texts), st.binary(), content_types
)
def test_no_headers_can_make_reading_fail_in_another_way(prefix, attributes, body, content_type):
    headers = {f"{prefix}{name}": value for name, value in (REQUIRED | attributes).items()}
    with suppress(Undecodable):
        event = decode(message(body, headers | {"content-type": content_type}))
        json.loads(event.data)
        json.loads(event.metadata)
