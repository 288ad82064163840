"""What a broker delivered, before anyone looked inside, and what is sent to one."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

# Names with their values, in order; a name may come twice.
HeaderPairs = tuple[tuple[str, str], ...]


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as it came: its bytes, its headers and where it was.

    Keys and header values that are not text are told as ``eventhub.events.wire_text`` tells bytes.
    """

    body: bytes
    # The topic, queue or stream it was read from; for a tap on an exchange, the exchange.
    topic: str
    # The broker's own position of it: Redis entry id, Kafka offset, outbox id. Text, so that all brokers fit.
    offset: str
    # What stays the same when the broker delivers it again, e.g. "redis:orders/1700000000000-0".
    origin_key: str
    # Header names in lower case; of a name that came twice, the last.
    headers: dict[str, str] = {}
    key: str | None = None
    partition: int | None = None
    # When the broker took it, in UTC; None where the broker does not say.
    timestamp: datetime | None = None
    # How often the broker delivered it, this time included; None where the broker does not say.
    delivery_count: int | None = None
    # The headers exactly as they came; empty where `headers` tells it all: no capitals, no name twice.
    raw_headers: HeaderPairs = ()
    # What the broker's protocol says beside headers, and what is needed to send it again just so: AMQP exchange,
    # routing key, priority; SQS message group. Each adapter lists its names. An adapter that can be given the same
    # properties publishes with them.
    properties: dict[str, str] = {}

    def header_pairs(self) -> HeaderPairs:
        """The headers as they came."""
        return self.raw_headers or tuple(self.headers.items())


def lower_headers(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], HeaderPairs]:
    """`headers` and `raw_headers` of a Message whose headers came as `pairs`."""
    came = tuple(pairs)
    headers = {name.lower(): value for name, value in came}
    return headers, () if tuple(headers.items()) == came else came


class OutgoingMessage(msgspec.Struct, frozen=True):
    """One message to publish; see `Message` for how keys, header values and properties are told."""

    body: bytes
    topic: str
    headers: HeaderPairs = ()
    key: str | None = None
    # Where the broker has partitions: the one to write to. None leaves it to the key.
    partition: int | None = None
    properties: Mapping[str, str] = {}
