"""AMQP frames: deliveries taken apart and publications put together, many at a time.

py-amqp reads a frame with three calls of the kernel and a message with three frames, which is most of what a consumer
does. Here a read takes what is there at once, and deliveries are taken apart by hand. Every other frame is given to
py-amqp, which keeps the connection and its channels.

https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 4.2
"""

import sys
from struct import Struct
from time import monotonic
from typing import Any, NamedTuple

from eventhub.brokers.rabbitmq.headers import NotEncodable, short_text
from eventhub.brokers.rabbitmq.properties import write_properties
from eventhub.events.message import OutgoingMessage
from eventhub.events.wire_text import to_text

READ_BYTES = 256 * 1024
METHOD, HEADER, BODY = 1, 2, 3
FRAME_END = 0xCE
FRAME_OVERHEAD = 8
BASIC = 60
RESERVED = b"\0\0"
MANDATORY = b"\1"
DELIVER = b"\x00\x3c\x00\x3c"  # class 60, method 60
RETURN = b"\x00\x3c\x00\x32"  # class 60, method 50
PUBLISH = b"\x00\x3c\x00\x28"  # class 60, method 40

_frame = Struct(">BHI")
_u64 = Struct(">Q")
_content = Struct(">HHQ")


class Delivery(NamedTuple):
    """One message as the broker pushed it."""

    tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    # Undecoded: see `properties.read_properties`.
    properties: bytes
    body: bytes


class Returned(NamedTuple):
    """A message that came back because no queue would have got it."""

    reason: str
    exchange: str
    routing_key: str
    properties: bytes
    body: bytes


class FrameReader:
    """Reads all that comes in on a connection, and keeps what is delivered or returned on one of its channels.

    `connection` is py-amqp's. Once there is a reader, nothing else may read from the connection. Its methods raise what
    py-amqp and the socket raise: amqp.AMQPError, OSError.
    """

    def __init__(self, connection: Any, channel_id: int) -> None:
        self.returned: list[Returned] = []
        self._connection = connection
        self._channel = channel_id
        # What came and was not looked at yet: from `_at` on, and then all of `_more`.
        self._data = b""
        self._at = 0
        self._more: list[bytes] = []
        # A message of which not all frames were seen: how it begins, its properties, how many bytes are missing.
        self._begun: tuple[Any, ...] | None = None
        self._properties = b""
        self._missing = 0
        self._chunks: list[bytes] = []

    @property
    def held_bytes(self) -> int:
        """How much came and was not read yet."""
        return len(self._data) - self._at + sum(map(len, self._more))

    def read(self, max_messages: int, max_bytes: int, timeout_s: float, linger_s: float) -> list[Delivery]:
        """What is delivered: waits `timeout_s` for the first message, and `linger_s` for each piece after it.

        Ends with the message whose body goes beyond `max_bytes` together with those before.
        """
        deadline = monotonic() + timeout_s
        found: list[Delivery] = []
        room = max_bytes - self._take(found, max_messages, max_bytes)
        while len(found) < max_messages and room > 0 and self._connection.connected:
            if not self.receive(linger_s if found else max(0.0, deadline - monotonic())):
                break
            room -= self._take(found, max_messages, room)
        return found

    def handle(self, timeout_s: float) -> bool:
        """Wait for something, and have py-amqp handle it; False when nothing came. For channels without deliveries."""
        came = self.receive(timeout_s)
        self._take([], sys.maxsize, sys.maxsize)
        return came

    def receive(self, timeout_s: float) -> bool:
        """Take in what is there, waiting `timeout_s` for it; False when nothing came."""
        transport = self._connection.transport
        try:
            with transport.having_timeout(timeout_s):
                chunk = transport.sock.recv(READ_BYTES)
        except TimeoutError:
            return False
        if not chunk:
            raise ConnectionResetError("it was closed")
        self._connection.bytes_recv += 1  # what py-amqp's heartbeat looks at: whether anything came
        self._more.append(chunk)
        return True

    def _take(self, found: list[Delivery], max_messages: int, max_bytes: int) -> int:
        """Handle the frames that are whole, until there are enough messages; returns the size of their bodies."""
        if self._more:
            self._data = b"".join((self._data[self._at :], *self._more))
            self._at = 0
            self._more.clear()
        data, end, size = self._data, len(self._data), 0
        unpack = _frame.unpack_from
        while self._at + FRAME_OVERHEAD <= end and len(found) < max_messages and size < max_bytes:
            kind, channel, length = unpack(data, self._at)
            start = self._at + 7
            stop = start + length
            if stop >= end:
                break
            if data[stop] != FRAME_END:
                raise ConnectionResetError("what comes is not AMQP 0.9.1")
            self._at = stop + 1
            if channel != self._channel:
                self._connection.on_inbound_frame((kind, channel, data[start:stop]))
            elif kind == METHOD:
                method = data[start : start + 4]
                if method == DELIVER:
                    self._begun = _delivery(data, start + 4)
                elif method == RETURN:
                    self._begun = _returned(data, start + 4)
                else:
                    self._connection.on_inbound_frame((kind, channel, data[start:stop]))
            elif kind == HEADER:
                self._missing = _u64.unpack_from(data, start + 4)[0]
                self._properties = data[start + 12 : stop]
                if not self._missing:
                    self._end_message(found, b"")
            else:
                self._chunks.append(data[start:stop])
                self._missing -= length
                if self._missing <= 0:
                    chunks = self._chunks
                    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                    size += len(body)
                    self._end_message(found, body)
                    self._chunks = []
        return size

    def _end_message(self, found: list[Delivery], body: bytes) -> None:
        if self._begun is None:
            raise ConnectionResetError("a message came without its beginning")
        if len(self._begun) == 4:
            found.append(Delivery._make((*self._begun, self._properties, body)))
        else:
            self.returned.append(Returned._make((*self._begun, self._properties, body)))
        self._begun = None


def _delivery(data: bytes, at: int) -> tuple[int, bool, str, str]:
    at += 1 + data[at]  # the consumer's tag
    tag = _u64.unpack_from(data, at)[0]
    exchange, after = _short(data, at + 9)
    return tag, data[at + 8] == 1, exchange, _short(data, after)[0]


def _returned(data: bytes, at: int) -> tuple[str, str, str]:
    reason, after = _short(data, at + 2)
    exchange, after = _short(data, after)
    return reason, exchange, _short(data, after)[0]


def _short(data: bytes, at: int) -> tuple[str, int]:
    stop = at + 1 + data[at]
    return to_text(data[at + 1 : stop]), stop


class Publication(NamedTuple):
    """A message as it is sent."""

    frames: bytes
    properties: bytes


def publication(
    channel: int, exchange: str, routing_key: str, message: OutgoingMessage, *, user: str, frame_max: int
) -> Publication:
    """The frames that publish `message` on a channel, to be returned when no queue would get it.

    `user` is who is signed in, `frame_max` the largest frame in bytes. Raises NotEncodable.
    """
    names = short_text("exchange", exchange) + short_text("routing key", routing_key)
    properties = write_properties(message, user)
    body = message.body
    room = frame_max - FRAME_OVERHEAD
    content = _content.pack(BASIC, 0, len(body)) + properties
    if len(content) > room:
        raise NotEncodable(
            f"Its headers and properties have {len(content):,} bytes; RabbitMQ takes {room:,}."
        )
    frames = [
        _framed(METHOD, channel, PUBLISH + RESERVED + names + MANDATORY),
        _framed(HEADER, channel, content),
        *(_framed(BODY, channel, body[at : at + room]) for at in range(0, len(body), room)),
    ]
    return Publication(b"".join(frames), properties)


def _framed(kind: int, channel: int, payload: bytes) -> bytes:
    return _frame.pack(kind, channel, len(payload)) + payload + bytes((FRAME_END,))
