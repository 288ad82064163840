import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq.dead_letter_queues import read
from dlq.formats import FORMATS, read_death, without_death
from dlq.writing import _TOLD, line_of
from eventhub.events.message import Message, lower_headers
from eventhub.events.wire_text import to_text
from tests.dlq.formats.dead import BROKER_TIME
from tests.dlq.formats.test_frameworks import ENVELOPE, MASSTRANSIT, NSERVICEBUS
from tests.dlq.formats.test_kafka import CONNECT, SPRING, STREAMS
from tests.dlq.formats.test_rabbitmq import EXPIRED, REJECTED

RABBITMQ = [
    "x-death",
    "x-opt-deaths",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-queue",
    "x-delivery-count",
]
OTHERS = ["dlq-error-class", "dlq-attempts", "dlq-failed-at", "dlq-origin-stream", "retry_topic-attempts"]
CELERY = ["task", "id", "lang", "retries", "root_id", "parent_id"]
SPRING_AMQP = [
    "x-exception-stacktrace",
    "x-exception-message",
    "x-original-exchange",
    "x-original-routingKey",
]
NAMES = [name for name, _ in (*SPRING, *CONNECT, *STREAMS, *NSERVICEBUS, *MASSTRANSIT)] + [
    *RABBITMQ,
    *OTHERS,
    *CELERY,
    *SPRING_AMQP,
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([REJECTED, EXPIRED]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(list(REJECTED)), inner),
    max_leaves=8,
)
values = (
    st.binary(max_size=40)
    | st.text().map(str.encode)
    | st.integers(-(2**70), 2**70).map(lambda number: str(number).encode())
    | st.integers(-(2**31), 2**31 - 1).map(lambda number: number.to_bytes(4, "big", signed=True))
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        [b"2026-11-24 10:00:00:000000 Z", b"9999-12-31T23:59:59-12:00", b"rabbitmq://[", b"queue:"]
    )
)
bodies = (
    st.binary()
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.just(json.dumps(ENVELOPE).encode())
)
properties = st.dictionaries(
    st.sampled_from(
        [
            "DeadLetterQueueSourceArn",
            "ApproximateReceiveCount",
            "ApproximateFirstReceiveTimestamp",
            "exchange",
            "queue",
        ]
    ),
    values.map(to_text),
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), values.map(to_text)), max_size=12), bodies, properties)
def test_no_headers_can_make_reading_a_death_fail(pairs, body, told):
    headers, raw_headers = lower_headers(pairs)
    message = Message(
        body, "dead", "1", "k", headers, raw_headers=raw_headers, timestamp=BROKER_TIME, properties=told
    )
    for candidate in FORMATS:
        candidate.recognises(message)
        candidate.read(message) if candidate.recognises(message) else None
    found = read_death(message)
    assert 1 <= found.attempts < 2**31
    assert found.origin.partition is None or 0 <= found.origin.partition < 2**31
    without_death(message.header_pairs())
    line = line_of(read(message))
    line.encode()
    assert "\x00" not in line
    assert "\n" not in line
    row = dict(zip(_TOLD.split(", "), line.split("\t"), strict=True))
    assert row["partition"] == ("\\N" if found.origin.partition is None else str(found.origin.partition))


@pytest.mark.parametrize("candidate", FORMATS, ids=lambda candidate: candidate.name)
def test_a_format_reads_a_message_without_any_of_its_headers_as_nothing_in_particular(candidate):
    message = Message(b"", "dead", "1", "k")
    assert not candidate.recognises(message)
    assert not candidate.owns("content-type")
    assert not candidate.owns("eventhub-retry-of")
