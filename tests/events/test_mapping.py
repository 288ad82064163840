import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.envelope import Event, Undecodable
from eventhub.events.mapping import BadMapping, apply, parse
from eventhub.events.message import Message
from eventhub.events.reading import Reader

BROKER_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ORDER = {
    "id": "o-1",
    "type": "OrderPlaced",
    "v": 2,
    "created_at": 1795514400250,
    "order": {"id": 8412, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 3}]},
    "tenant": "acme",
}
MAPPING = {
    "event_id": "body.id",
    "event_type": "body.type",
    "event_version": "body.v",
    "timestamp": "body.created_at",
    "source": "'legacy-shop'",
    "correlation_id": 'headers."x-flow"',
    "causation_id": "properties.cause",
    "stream": "join('-', ['order', to_string(body.order.id)])",
    "stream_version": "offset",
    "data": "body.order",
    "metadata.tenant": "body.tenant",
    "metadata.from": "topic",
}


def message(body, **changed):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    values = {"topic": "orders", "offset": "7", "origin_key": "kafka:orders/0/7", "timestamp": BROKER_TIME}
    return Message(raw, **(values | changed))


def refusal(mapping, body, **changed):
    with pytest.raises(Undecodable) as caught:
        apply(message(body, **changed), parse(mapping))
    assert caught.value.reason.endswith(".")
    return caught.value


def test_every_field_of_the_envelope_can_be_mapped():
    came = message(ORDER, headers={"x-flow": "f-9"}, properties={"cause": "e-0"})
    assert apply(came, parse(MAPPING)) == Event(
        event_id="o-1",
        event_type="OrderPlaced",
        event_version="2",
        occurred_at=datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC),
        source="legacy-shop",
        correlation_id="f-9",
        causation_id="e-0",
        stream="order-8412",
        stream_version=7,
        data=json.dumps(ORDER["order"]),
        metadata='{"tenant":"acme","from":"orders"}',
    )


def test_what_is_not_mapped_is_filled_in_as_for_a_native_event():
    came = message(ORDER, headers={"correlation-id": "c-1"})
    event = apply(came, parse({"event_type": "topic"}))
    assert event == Event(
        event_id="kafka:orders/0/7",
        event_type="orders",
        occurred_at=BROKER_TIME,
        data=json.dumps(ORDER),
        correlation_id="c-1",
        has_producer_id=False,
        has_producer_time=False,
    )


def test_what_a_mapping_does_not_find_is_filled_in_too():
    mapping = {"event_type": "'a'", "event_id": "body.no", "timestamp": "body.no", "source": "body.no"}
    event = apply(message({}), parse(mapping))
    assert (event.event_id, event.occurred_at, event.source) == ("kafka:orders/0/7", BROKER_TIME, None)
    assert not event.has_producer_id
    assert not event.has_producer_time


def test_data_that_is_a_part_of_the_body_keeps_every_digit():
    body = b'{"t": "a", "p": {"q": {"amount": 0.10000000000000000555, "id": 12345678901234567890123}}}'
    mapping = {"event_type": "body.t", "data": "body.p.q"}
    assert apply(message(body), parse(mapping)).data == (
        '{"amount": 0.10000000000000000555, "id": 12345678901234567890123}'
    )
    assert apply(message(body), parse(mapping | {"data": "body"})).data == body.decode()
    assert apply(message(body), parse(mapping | {"data": "body.p.q.amount.no"})).data == "null"
    assert apply(message(body), parse(mapping | {"data": "{q: body.t}"})).data == '{"q":"a"}'


def test_a_body_that_is_no_object_can_be_mapped_too():
    event = apply(message(b"21.50", topic="sensors/hall/temperature"), parse({"event_type": "topic"}))
    assert (event.event_type, event.data) == ("sensors/hall/temperature", "21.50")


def test_a_whole_object_can_be_the_metadata_and_single_fields_win_over_it():
    mapping = {"event_type": "'a'", "metadata": "body.meta", "metadata.b": "'mine'"}
    assert apply(message({"meta": {"a": 1, "b": 2}}), parse(mapping)).metadata == '{"a":1,"b":"mine"}'


@pytest.mark.parametrize(
    ("mapping", "body", "kind", "says"),
    [
        ({"event_type": "body.type"}, {}, "MissingField", "event_type: the mapping's expression 'body.type'"),
        ({"event_type": "body.type"}, {"type": ""}, "MissingField", "found nothing"),
        ({"event_type": "body.type"}, {"type": ["a"]}, "WrongType", "gave an array"),
        ({"event_type": "body.type"}, {"type": True}, "WrongType", "gave true or false"),
        ({"event_type": "body.type"}, {"type": "a\nb"}, "ControlCharacter", "event_type"),
        ({"event_type": "body.type"}, {"type": "a" * 501}, "TooLong", "event_type"),
        ({"event_type": "'a'", "timestamp": "body.t"}, {"t": "soon"}, "BadTime", "'soon'"),
        ({"event_type": "'a'", "timestamp": "body.t"}, {"t": 10**40}, "BadTime", "timestamp"),
        ({"event_type": "'a'", "timestamp": "body.t"}, {"t": []}, "BadTime", "timestamp"),
        ({"event_type": "'a'", "stream_version": "body.n"}, {"n": 1.5}, "WrongType", "a whole number"),
        ({"event_type": "'a'", "stream_version": "body.n"}, {"n": -1}, "OutOfRange", "stream_version"),
        ({"event_type": "'a'", "source": "length(body.n)"}, {"n": 5}, "MappingFailed", "length(body.n)"),
        ({"event_type": "'a'", "metadata": "body.n"}, {"n": 5}, "WrongType", "an object"),
        ({"event_type": "'a'", "data": "to_number('1e999')"}, {}, "WrongType", "JSON"),
        ({"event_type": "'a'", "data": "&body"}, {}, "WrongType", "JSON"),
        ({"event_type": "'a'"}, b"", "NotJson", "empty"),
        ({"event_type": "'a'"}, b"{", "NotJson", "not JSON"),
        ({"event_type": "'a'"}, b"\xff", "NotUtf8", "0xff"),
        ({"event_type": "'a'"}, b"[" * 100_000, "TooDeep", "deep"),
        ({"event_type": "'a'"}, b'{"a": "\\u0000"}', "NulCharacter", "u0000"),
    ],
)
def test_what_cannot_be_mapped_is_refused_naming_the_field_and_the_expression(mapping, body, kind, says):
    error = refusal(mapping, body)
    assert error.kind == kind, error.reason
    assert says in error.reason


def test_an_event_without_any_time_is_refused():
    assert refusal({"event_type": "'a'"}, {}, timestamp=None).kind == "MissingField"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "JSON object"),
        ({"event_type": 5}, "event_type: an expression is a text"),
        ({"event_typ": "body.type"}, "Did you mean event_type?"),
        ({"metadata.": "body"}, "not a field"),
        ({"event_id": "body.id"}, "event_type: every event has a type"),
        ({"event_type": "body..type"}, "event_type: 'body..type' is not a JMESPath expression"),
        ({"event_type": "'open"}, "not a JMESPath expression"),
        ({"event_type": "("}, "not a JMESPath expression"),
        ({"event_type": "(" * 900}, "not a JMESPath expression"),
        ({"event_type": "type"}, "write body.type; for a fixed text write it in single quotes: 'type'"),
        ({"event_type": "order.placed"}, "begins with 'order'"),
        ({"event_type": "join('-', [body.a, b.c])"}, "begins with 'b'"),
        ({"event_type": "body.a || b"}, "begins with 'b'"),
        ({"event_type": "body.a | lenght(@)"}, "Did you mean length()?"),
        ({"event_type": "length()"}, "takes 1"),
        ({"event_type": "merge()"}, "at least 1"),
        ({"event_type": "a" * 1001}, "at most 1,000"),
        ({"event_type": "topic", **{f"metadata.{n}": "key" for n in range(101)}}, "at most 100"),
    ],
)
def test_a_bad_mapping_is_refused_before_it_meets_a_message(value, says):
    with pytest.raises(BadMapping) as caught:
        parse(value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "body.items[?price > `5`].name | [0]",
        "body.items[0].name",
        "body.*.name | [0]",
        "body.items[].name | [0]",
        "sort_by(body.items, &price)[0].name",
        "body.items[*].{n: name} | [0].n",
        "body.items[::2] | [0].name",
        "@.body.items[0].name",
        "!body.x && body.items[0].name",
    ],
)
def test_names_inside_of_a_list_are_not_taken_for_names_of_the_message(expression):
    parse({"event_type": expression})


def test_a_mapping_left_empty_is_none():
    assert not parse({})
    assert not parse({"event_type": "", "event_id": None})


def test_a_source_with_a_mapping_still_knows_events_by_themselves():
    reader = Reader(parse({"event_type": "body.kind"}))
    native = {"event_id": "e-1", "event_type": "order.placed", "timestamp": "2026-11-24T10:00:00Z"}
    cloud = {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "order.paid"}
    foreign = {"event_type": 7, "kind": "order.shipped"}
    alike = {"event_type": "shop", "kind": "order.closed", "payload": {}}
    read = [reader.read(message(body)).event_type for body in (native, cloud, foreign, alike)]
    assert read == ["order.placed", "order.paid", "order.shipped", "order.closed"]


def test_an_array_of_foreign_objects_is_one_event_each():
    reader = Reader(parse({"event_type": "body.kind"}))
    parts = reader.split(message([{"kind": "a"}, {"kind": "b"}]))
    assert [reader.read(part).event_type for part in parts] == ["a", "b"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "type", "order", "n", "x"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
expressions = st.sampled_from(
    [
        "body",
        "body.id",
        "body.order.id",
        "body[0]",
        "body.*",
        "body[].id",
        "sum(body.n)",
        "avg(body.n)",
        "abs(body.n)",
        "to_number(body.id)",
        "to_string(body)",
        "join('-', body.order)",
        "sort(body.n)",
        "sort_by(body.order, &id)",
        "max_by(body.order, &n)[0].x",
        "merge(body, headers)",
        "map(&id, body)",
        "body.n > body.id",
        "reverse(body.id)",
        "keys(body)",
        "not_null(body.x, body.n, topic)",
        "&body",
        "timestamp",
    ]
)
mappings = st.dictionaries(
    st.sampled_from(
        ["event_id", "timestamp", "source", "stream", "stream_version", "data", "metadata", "metadata.a"]
    ),
    expressions,
)


@given(st.data())
def test_a_path_gives_what_jmespath_would_give(data):
    body = data.draw(json_values)
    text = data.draw(
        st.sampled_from(["body", "body.id", "body.order.id", "topic", "headers.x", "body.n.x", "key.a"])
    )
    expression = parse({"event_type": text}).fields["event_type"]
    seen = {"body": body, "topic": "t", "headers": {"x": "1"}, "key": None}
    assert expression.names is not None
    assert expression.evaluate(seen) == expression.compiled.search(seen)


@given(mappings, expressions, json_values)
def test_no_message_can_make_a_mapping_fail_in_another_way(mapping, event_type, body):
    with suppress(Undecodable):
        event = apply(message(body), parse(mapping | {"event_type": event_type}))
        json.loads(event.data)
        assert isinstance(json.loads(event.metadata), dict)
        assert event.occurred_at.tzinfo is UTC


@given(
    st.dictionaries(
        st.text() | st.sampled_from(["event_type", "data"]), st.text() | st.none() | st.integers()
    )
)
def test_no_text_can_make_reading_a_mapping_fail_in_another_way(value):
    with suppress(BadMapping):
        parse(value)
