"""Compressed bodies: read as what they were, and bombs refused before they are large."""

import gzip
import json
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.decoding import decode, split
from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message
from eventhub.events.reading import Reader

EVENT = {
    "event_id": "e-1",
    "event_type": "order.placed",
    "timestamp": "2026-11-24T10:00:00Z",
    "data": {"n": 1},
}


def message(body: bytes, encoding: str | None = "gzip", **changed: object) -> Message:
    headers = {} if encoding is None else {"content-encoding": encoding}
    return Message(body, "orders", "1", "kafka:orders/0/1", **{"headers": headers} | changed)


def packed(value: object, level: int = 9) -> bytes:
    return gzip.compress(json.dumps(value).encode(), level, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP ", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
    ],
)
def test_an_event_that_its_producer_compressed_is_read(encoding, compress):
    event = decode(message(compress(json.dumps(EVENT).encode()), encoding))
    assert event.event_id == "e-1"
    assert Reader().read(message(compress(json.dumps(EVENT).encode()), encoding)).event_id == "e-1"


def test_the_property_of_amqp_and_the_attribute_of_sqs_say_it_too():
    plain = message(packed(EVENT), None, properties={"content_encoding": "gzip"})
    assert decode(plain).event_id == "e-1"
    assert decode(message(packed(EVENT), None, headers={"content_encoding": "gzip"})).event_id == "e-1"


def test_an_array_that_was_compressed_is_its_events():
    parts = split(message(packed([EVENT, EVENT | {"event_id": "e-2"}])))
    assert [decode(part).event_id for part in parts] == ["e-1", "e-2"]


@pytest.mark.parametrize("encoding", ["utf-8", "binary", "base64", "us-ascii", "what ever", ""])
def test_other_things_that_producers_write_there_are_let_be(encoding):
    assert decode(message(json.dumps(EVENT).encode(), encoding)).event_id == "e-1"


@pytest.mark.parametrize(
    ("body", "encoding", "kind", "words"),
    [
        (b"{}", "gzip", "NotCompressed", "and it is not"),
        (packed(EVENT)[:-12], "gzip", "NotCompressed", "cut off"),
        (packed(EVENT), "zstd", "UnknownEncoding", "compression.type"),
        (packed(EVENT), "br", "UnknownEncoding", "gzip or deflate"),
    ],
)
def test_what_cannot_be_unpacked_says_why(body, encoding, kind, words):
    with pytest.raises(Undecodable) as refused:
        decode(message(body, encoding))
    assert refused.value.kind == kind
    assert words in refused.value.reason


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_a_bomb_is_refused_without_becoming_large(settings, compress):
    settings.INGEST_MAX_BODY_BYTES = 100_000
    bomb = compress(b" " * 90_000_000)  # 90 kB
    assert len(bomb) < 100_000
    encoding = "gzip" if compress is gzip.compress else "deflate"
    tracemalloc.start()
    try:
        for read in (decode, Reader().read):
            with pytest.raises(Undecodable) as refused:
                read(message(bomb, encoding))
            assert refused.value.kind == "TooLarge"
        assert split(message(bomb, encoding)) == [message(bomb, encoding)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_whatever_the_bytes_are_nothing_but_undecodable_is_raised(body, encoding):
    for one in (body, gzip.compress(body), zlib.compress(body)):
        with suppress(Undecodable):
            decode(message(one, encoding))
        split(message(one, encoding))
