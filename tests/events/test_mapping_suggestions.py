import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.mapping import apply, suggest
from eventhub.events.message import Message

BROKER_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def messages(bodies, **changed):
    return [
        Message(
            json.dumps(body).encode(),
            "orders",
            str(n),
            f"kafka:orders/0/{n}",
            timestamp=BROKER_TIME,
            **changed,
        )
        for n, body in enumerate(bodies)
    ]


def test_a_flat_envelope_in_camel_case_is_recognised():
    samples = messages(
        {
            "eventId": f"e-{n}",
            "eventType": ["OrderPlaced", "OrderPaid"][n % 2],
            "schemaVersion": 2,
            "createdAt": "2026-11-24T10:00:00Z",
            "service": "shop",
            "traceId": "t-1",
            "payload": {"id": n, "type": "web"},
        }
        for n in range(10)
    )
    assert suggest(samples).value == {
        "event_type": "body.eventType",
        "event_id": "body.eventId",
        "timestamp": "body.createdAt",
        "event_version": "body.schemaVersion",
        "source": "body.service",
        "correlation_id": "body.traceId",
        "data": "body.payload",
    }


def test_short_names_and_counts_of_milliseconds_are_recognised():
    samples = messages(
        {"id": f"e-{n}", "type": "order", "ts": 1795514400250 + n, "orderId": 8412} for n in range(3)
    )
    found = suggest(samples)
    assert found.value == {
        "event_type": "body.type",
        "event_id": "body.id",
        "timestamp": "body.ts",
        "correlation_id": "body.orderId",
        "stream": "join('-', ['order', to_string(body.orderId)])",
    }
    event = apply(samples[0], found.mapping)
    assert (event.event_type, event.event_id, event.stream) == ("order", "e-0", "order-8412")
    assert event.occurred_at == datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)


def test_a_nested_envelope_is_recognised_and_a_customers_id_is_not_the_events():
    samples = messages(
        {"header": {"message-id": f"m-{n}", "type": "a"}, "customer": {"id": f"c-{n}"}, "body": {"x": n}}
        for n in range(4)
    )
    value = suggest(samples).value
    assert value["event_id"] == 'body.header."message-id"'
    assert value["event_type"] == "body.header.type"
    assert value["data"] == "body.body"


def test_what_stands_in_headers_is_found_there():
    samples = messages(
        ({"total": n} for n in range(4)), headers={"x-event-type": "order.placed", "sender": "shop"}
    )
    value = suggest(samples).value
    assert value["event_type"] == 'headers."x-event-type"'
    assert value["source"] == "headers.sender"


def test_an_id_that_comes_twice_is_not_the_events():
    samples = messages({"id": 7, "type": "a"} for _ in range(3))
    assert "event_id" not in suggest(samples).value


def test_a_time_is_known_by_what_it_holds():
    assert "timestamp" not in suggest(messages([{"type": "a", "timestamp": "soon"}])).value


def test_without_a_type_the_topic_stands_in_and_says_so():
    found = suggest(messages([{"total": 5}]))
    assert found.value == {"event_type": "topic"}
    assert "topic" in found.proposals[0].why


def test_every_proposal_says_how_sure_it_is_and_why():
    found = suggest(messages({"eventType": "a", "uuid": f"u-{n}"} for n in range(10)))
    by_field = {proposal.field: proposal for proposal in found.proposals}
    assert by_field["event_type"].confidence > by_field["event_id"].confidence >= 0.4
    assert by_field["event_id"].why == (
        'It is called "uuid"; 10 of 10 messages have it, all different, e.g. u-0, u-1, u-2.'
    )


def test_events_need_no_mapping_and_what_has_no_fields_gets_none():
    native = messages([{"event_type": "a", "event_id": "1"}])
    assert "need no mapping" in suggest(native).note
    assert "no fields" in suggest(messages([5, "text", [1]])).note
    assert "no message" in suggest([]).note


def change(op, before, after):
    source = {"connector": "postgresql", "name": "shop", "table": "orders", "ts_ms": 1795514400250, "lsn": 7}
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1795514400300}


@pytest.mark.parametrize(
    "wrap", [lambda body: body, lambda body: {"schema": {"type": "struct"}, "payload": body}]
)
def test_debeziums_changes_are_known_by_their_shape(wrap):
    bodies = [change("c", None, {"id": 1}), change("u", {"id": 1}, {"id": 1}), change("d", {"id": 1}, None)]
    samples = messages(map(wrap, bodies), key='{"id":1}')
    mapping = suggest(samples).mapping
    events = [apply(sample, mapping) for sample in samples]
    assert [event.event_type for event in events] == ["orders.created", "orders.updated", "orders.deleted"]
    assert {event.data for event in events} == {'{"id":1}'}
    assert {(event.source, event.stream) for event in events} == {("shop", 'orders-{"id":1}')}
    assert events[0].occurred_at == datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "ts", "data", "order_id", "a-b"]) | st.text(), inner)
    ),
    max_leaves=12,
)


@given(st.lists(json_values | st.binary(), max_size=5), st.dictionaries(st.text(), st.text(), max_size=3))
def test_whatever_the_samples_are_a_suggestion_is_a_mapping_that_can_be_used(bodies, headers):
    samples = [
        Message(body if isinstance(body, bytes) else json.dumps(body).encode(), "t", "1", "k", headers)
        for body in bodies
    ]
    found = suggest(samples)
    assert bool(found.mapping) is bool(found.proposals)
    assert bool(found.proposals) is not bool(found.note)
