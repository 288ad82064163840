from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.sqs import messages
from eventhub.brokers.sqs.messages import Entry, Unsendable, batches, entry_of, lanes, message_of
from eventhub.events.message import OutgoingMessage
from eventhub.events.wire_text import to_text

ALLOWED = st.characters(exclude_categories=["Cs"]).filter(lambda c: not messages.FORBIDDEN.search(c))
TEXTS = st.text(ALLOWED, min_size=1, max_size=30)
NAMES = st.text("abcXYZ019_-", min_size=1, max_size=12)
VALUES = st.one_of(
    TEXTS.map(lambda text: {"DataType": "String", "StringValue": text}),
    TEXTS.map(lambda text: {"DataType": "String", "StringValue": f"base64:{text}"}),
    TEXTS.map(lambda text: {"DataType": "String.url", "StringValue": text}),
    st.integers().map(lambda n: {"DataType": "Number", "StringValue": str(n)}),
    st.binary(min_size=1, max_size=30).map(lambda raw: {"DataType": "Binary", "BinaryValue": raw}),
    st.binary(min_size=1, max_size=30).map(lambda raw: {"DataType": "Binary.png", "BinaryValue": raw}),
)


def received(body="{}", attributes=None, **system):
    raw = {
        "MessageId": "551c766b-353d-4bce-bd81-f158da9e9a99",
        "ReceiptHandle": "AQEB",
        "Body": body,
        "Attributes": {"SentTimestamp": "1795599059341", "ApproximateReceiveCount": "2", **system},
    }
    return raw | ({"MessageAttributes": attributes} if attributes else {})


def read(**of):
    return message_of(received(**of), "orders", "sqs:shop/orders/")


def sent(message, **more):
    return OutgoingMessage(
        message.body,
        "orders",
        (*message.header_pairs(), *more.get("headers", ())),
        message.key,
        None,
        message.properties,
    )


def test_a_message_tells_its_id_its_time_and_how_often_it_came():
    message = read(body="hé", SenderId="AIDA")
    assert (message.body, message.topic) == ("hé".encode(), "orders")
    assert message.offset == "551c766b-353d-4bce-bd81-f158da9e9a99"
    assert message.origin_key == "sqs:shop/orders/551c766b-353d-4bce-bd81-f158da9e9a99"
    assert message.timestamp == datetime(2026, 11, 25, 9, 30, 59, 341_000, tzinfo=UTC)
    assert message.delivery_count == 2
    assert message.properties == {
        "SentTimestamp": "1795599059341",
        "ApproximateReceiveCount": "2",
        "SenderId": "AIDA",
    }


def test_a_server_that_tells_nothing_beside_the_body_is_read():
    raw = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}"}
    message = message_of(raw, "orders", "sqs:shop/orders/")
    assert (message.timestamp, message.delivery_count, message.properties) == (None, None, {})


def test_attributes_are_headers_and_their_types_are_kept_where_they_are_not_plain():
    message = read(
        attributes={
            "TraceParent": {"DataType": "String", "StringValue": "00-x"},
            "n": {"DataType": "Number.int", "StringValue": "3"},
            "b": {"DataType": "Binary", "BinaryValue": b"\xff\x00"},
        }
    )
    assert message.headers == {"traceparent": "00-x", "n": "3", "b": "base64:/wA="}
    assert message.raw_headers == (("TraceParent", "00-x"), ("n", "3"), ("b", "base64:/wA="))
    assert message.properties["DataType.n"] == "Number.int"
    assert message.properties["DataType.b"] == "Binary"
    assert "DataType.TraceParent" not in message.properties


@given(TEXTS, st.dictionaries(NAMES, VALUES, max_size=10))
def test_whatever_came_is_sent_again_just_so(body, attributes):
    message = message_of(received(body=body, attributes=attributes), "orders", "sqs:shop/orders/")
    fields = entry_of(0, sent(message), is_fifo=False).fields
    assert fields["MessageBody"] == body
    assert fields.get("MessageAttributes", {}) == attributes


def test_the_group_and_the_trace_of_aws_are_sent_again():
    message = read(MessageGroupId="order-1", MessageDeduplicationId="d-1", AWSTraceHeader="Root=1-5759e988")
    assert message.key == "order-1"
    fields = entry_of(0, sent(message), is_fifo=True).fields
    assert (fields["MessageGroupId"], fields["MessageDeduplicationId"]) == ("order-1", "d-1")
    assert fields["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1-5759e988"


def test_a_retry_is_no_duplicate_of_what_it_repeats_and_the_same_retry_is_one_of_itself():
    message = read(MessageGroupId="order-1", MessageDeduplicationId="d-1")
    ids = [
        entry_of(0, sent(message, headers=mark), is_fifo=True).fields["MessageDeduplicationId"]
        for mark in (
            (("eventhub-retry-of", "7"), ("eventhub-attempt", "2")),
            (("eventhub-retry-of", "7"), ("eventhub-attempt", "2")),
            (("eventhub-retry-of", "7"), ("eventhub-attempt", "3")),
        )
    ]
    assert ids[0] == ids[1]
    assert len({"d-1", *ids}) == 3


def test_on_a_fifo_queue_the_key_is_the_group_and_equal_messages_are_not_taken_for_duplicates():
    def fields(key, *headers):
        return entry_of(0, OutgoingMessage(b"1", "a.fifo", headers, key), is_fifo=True).fields

    assert fields("order-1")["MessageGroupId"] == "order-1"
    assert fields(None)["MessageGroupId"] == "eventhub"
    assert len(fields("Zoë & söhne")["MessageGroupId"]) == 64
    assert fields("a")["MessageDeduplicationId"] != fields("a")["MessageDeduplicationId"]
    again = [fields("a", *RETRY)["MessageDeduplicationId"] for _ in range(2)]
    assert again[0] == again[1]
    assert not {"MessageDeduplicationId", "MessageGroupId"} & set(
        entry_of(0, OutgoingMessage(b"1", "a", (), "a"), is_fifo=False).fields
    )


RETRY = (("eventhub-retry-of", "7"), ("eventhub-attempt", "2"), ("eventhub-retry-for", "shop"))


def test_eventhubs_own_headers_share_an_attribute_when_there_are_too_many_and_are_read_back():
    theirs = tuple((f"h{n}", str(n)) for n in range(9))
    attributes = entry_of(0, OutgoingMessage(b"1", "a", (*theirs, *RETRY)), is_fifo=False).fields[
        "MessageAttributes"
    ]
    assert len(attributes) == 10
    assert [name for name, _ in theirs] == list(attributes)[:9]
    assert read(attributes=attributes).header_pairs() == (*theirs, *RETRY)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (OutgoingMessage(b"", "a"), "empty body"),
        (OutgoingMessage(b"\xff", "a"), "not UTF-8"),
        (OutgoingMessage(b"a\x00b", "a"), "U\\+0000"),
        (OutgoingMessage("\ufffe".encode(), "a"), "U\\+FFFE"),
        (OutgoingMessage(b"1", "a", (("h", ""),)), "'h' without value"),
        (OutgoingMessage(b"1", "a", (("h", "\x01"),)), "'h' holds"),
        (OutgoingMessage(b"1", "a", (("h", "1"), ("h", "2"))), "two headers 'h'"),
        (OutgoingMessage(b"1", "a", (("not this", "1"),)), "'not this'"),
        (OutgoingMessage(b"1", "a", (("aws.x", "1"),)), "'aws.x'"),
        (OutgoingMessage(b"1", "a", (("a..b", "1"),)), "'a..b'"),
        (OutgoingMessage(b"1", "a", tuple((f"h{n}", "1") for n in range(11))), "11 headers"),
        (
            OutgoingMessage(b"1", "a", (*((f"h{n}", "1") for n in range(10)), *RETRY)),
            "3 of them EventHub's own",
        ),
    ],
)
def test_what_sqs_would_not_take_is_named(message, words):
    with pytest.raises(Unsendable, match=words):
        entry_of(0, message, is_fifo=False)


@given(st.dictionaries(NAMES, st.binary(min_size=1, max_size=40).map(to_text), max_size=10))
def test_any_bytes_in_a_header_are_sent_as_they_are_or_refused(headers):
    message = OutgoingMessage(b"1", "a", tuple(headers.items()))
    try:
        attributes = entry_of(0, message, is_fifo=False).fields.get("MessageAttributes")
    except Unsendable:
        return
    assert dict(read(attributes=attributes).header_pairs()) == headers


@given(st.lists(st.integers(1, messages.MAX_BYTES), max_size=60))
def test_batches_hold_what_one_request_takes_and_everything_in_order(sizes):
    entries = [Entry(index, size, "", {}) for index, size in enumerate(sizes)]
    cut = list(batches(entries))
    assert [entry for batch in cut for entry in batch] == entries
    for batch in cut:
        assert 1 <= len(batch) <= 10
        assert len(batch) == 1 or sum(entry.size_bytes for entry in batch) <= messages.BATCH_BYTES
    for one, next_one in pairwise(cut):  # no request more than needed
        together = sum(entry.size_bytes for entry in one) + next_one[0].size_bytes
        assert len(one) == 10 or together > messages.BATCH_BYTES


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=100), st.integers(1, 8))
def test_side_by_side_each_group_stays_whole_and_in_order(groups, count):
    entries = [Entry(index, 1, group, {}) for index, group in enumerate(groups)]
    found = lanes(entries, count)
    assert len(found) <= count
    assert sorted(entry.index for lane in found for entry in lane) == list(range(len(groups)))
    for group in set(groups) - {""}:
        holding = [[entry.index for entry in lane if entry.group == group] for lane in found]
        assert [index for part in holding for index in part] == [
            n for n, g in enumerate(groups) if g == group
        ]
        assert sum(map(bool, holding)) == 1
