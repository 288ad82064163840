import socket
from contextlib import contextmanager
from struct import pack

import pytest
from amqp.serialization import dumps
from hypothesis import given, settings
from hypothesis import strategies as st

from eventhub.brokers.rabbitmq.frames import Delivery, FrameReader, Returned, publication
from eventhub.brokers.rabbitmq.headers import NotEncodable
from eventhub.brokers.rabbitmq.properties import read_properties
from eventhub.events.message import OutgoingMessage

FRAME_MAX = 64
CHANNEL = 1


class Transport:
    def __init__(self, sock):
        self.sock = sock

    @contextmanager
    def having_timeout(self, timeout_s):
        self.sock.settimeout(timeout_s or 0.000001)
        yield self.sock


class Connection:
    """What the reader uses of py-amqp's connection, at one end of a real pair of sockets."""

    connected = True
    bytes_recv = 0

    def __init__(self, sock):
        self.transport = Transport(sock)
        self.passed_on = []

    def on_inbound_frame(self, frame):
        self.passed_on.append(frame)


def frame(kind, payload, channel=CHANNEL):
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def content(body, properties=b"\x00\x00"):
    room = FRAME_MAX - 8
    return frame(2, pack(">HHQ", 60, 0, len(body)) + properties) + b"".join(
        frame(3, body[at : at + room]) for at in range(0, len(body), room)
    )


def delivered(one):
    method = pack(">HH", 60, 60) + dumps(
        "sLbss", ("eventhub-1", one.tag, one.redelivered, one.exchange, one.routing_key)
    )
    return frame(1, method) + content(one.body, one.properties)


deliveries = st.builds(
    Delivery,
    st.integers(1, 2**63),
    st.booleans(),
    st.text("abc", max_size=5),
    st.text("xyz", max_size=5),
    st.just(b"\x00\x00") | st.just(b"\x10\x00\x02"),
    st.binary(max_size=200),
)


@settings(deadline=None)
@given(st.lists(deliveries, max_size=12), st.lists(st.integers(0, 3000), max_size=8), st.data())
def test_deliveries_are_read_whole_however_the_network_cuts_them(sent, cuts, data):
    heartbeat, other = frame(8, b"", channel=0), frame(1, pack(">HH", 60, 31) + b"x", channel=CHANNEL)
    stream = b""
    passed_on = 0
    for one in sent:
        if data.draw(st.booleans()):
            stream += heartbeat + other
            passed_on += 2
        stream += delivered(one)
    cuts = sorted(cut for cut in cuts if cut < len(stream))
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(here)
        reader = FrameReader(connection, CHANNEL)
        found = []
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            there.sendall(stream[start:end])
            found += reader.read(100, 1_000_000, 0, 0)
        assert found == sent
        assert len(connection.passed_on) == passed_on


def reader_of(stream):
    here, there = socket.socketpair()
    there.sendall(stream)
    connection = Connection(here)
    connection.there = there
    return FrameReader(connection, CHANNEL)


def deliver(tag, body=b"{}"):
    return Delivery(tag, False, "e", "k", b"\x00\x00", body)


def test_no_more_is_read_than_asked_for_and_the_rest_stays():
    reader = reader_of(b"".join(delivered(deliver(tag)) for tag in range(1, 6)))
    assert [one.tag for one in reader.read(2, 1000, 0, 0)] == [1, 2]
    assert [one.tag for one in reader.read(9, 1000, 0, 0)] == [3, 4, 5]
    assert reader.read(9, 1000, 0, 0) == []


def test_large_messages_end_a_read():
    reader = reader_of(b"".join(delivered(deliver(tag, b"x" * 150)) for tag in range(1, 6)))
    assert [len(reader.read(9, 200, 0, 0)) for _ in range(4)] == [2, 2, 1, 0]


def test_what_came_back_is_kept_apart():
    method = pack(">HH", 60, 50) + dumps("Bsss", (312, "NO_ROUTE", "orders", "a.b"))
    reader = reader_of(frame(1, method) + content(b"body", b"\x10\x00\x02"))
    assert not reader.read(9, 1000, 0, 0)
    assert reader.returned == [Returned("NO_ROUTE", "orders", "a.b", b"\x10\x00\x02", b"body")]


def test_a_server_that_hangs_up_or_speaks_another_language_is_noticed():
    reader = reader_of(b"")
    reader._connection.there.close()
    with pytest.raises(ConnectionResetError):
        reader.read(1, 1, 0, 0)
    with pytest.raises(ConnectionResetError, match="not AMQP"):
        reader_of(b"\x01\x00\x01\x00\x00\x00\x01xxx").read(1, 1, 0, 0)


def outgoing(**fields):
    return OutgoingMessage(b"{}", "orders", **fields)


def publish(message, user="eventhub"):
    return publication(CHANNEL, "e", "k", message, user=user, frame_max=4096)


def test_properties_are_sent_as_they_were_read():
    raw = publish(outgoing(headers=(("a", "1"),), properties={"content_type": "text/plain"})).properties
    properties, table = read_properties(raw)
    assert properties == {"content_type": "text/plain", "delivery_mode": "2"}
    assert table == dumps("F", [{"a": "1"}])[4:]
    every = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "delivery_mode": "1",
        "priority": "9",
        "correlation_id": "c-1",
        "reply_to": "answers",
        "message_id": "m-1",
        "timestamp": "1795597200",
        "type": "order.placed",
        "user_id": "eventhub",
        "app_id": "shop",
        "cluster_id": "x",
    }
    assert read_properties(publish(outgoing(properties=every)).properties) == (every, b"")


def test_what_would_harm_is_not_sent():
    harmful = {"expiration": "5000", "user_id": "someone"}
    headers = (("x-delivery-count", "3"), ("x-stream-offset", "7"), ("content-type", "a/b"))
    sent = publish(outgoing(properties=harmful | {"content_type": "a/b"}, headers=headers)).properties
    assert read_properties(sent) == ({"content_type": "a/b", "delivery_mode": "2"}, b"")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (outgoing(properties={"priority": "high"}), "priority is 'high'"),
        (outgoing(properties={"priority": "300"}), "priority is '300'"),
        (outgoing(properties={"correlation_id": "c" * 256}), "correlation_id has 256 bytes"),
        (outgoing(headers=(("h", "x" * 5000),)), "headers and properties have"),
    ],
)
def test_what_amqp_cannot_carry_is_said(message, words):
    with pytest.raises(NotEncodable, match=words):
        publish(message)
