"""What a broker delivered, before anyone looked inside."""

from datetime import datetime

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as it came: its bytes, its headers and where it was."""

    body: bytes
    topic: str
    # The broker's own position of it: Redis entry id, Kafka offset, outbox id. Text, so that all brokers fit.
    offset: str
    # What stays the same when the broker delivers it again, e.g. "redis:orders/1700000000000-0".
    origin_key: str
    # Header names in lower case.
    headers: dict[str, str] = {}
    key: str | None = None
    partition: int | None = None
    # When the broker took it, in UTC; None where the broker does not say.
    timestamp: datetime | None = None
    # How often the broker delivered it, this time included; None where the broker does not say.
    delivery_count: int | None = None


class OutgoingMessage(msgspec.Struct, frozen=True):
    """One message to publish."""

    body: bytes
    topic: str
    headers: dict[str, str] = {}
    key: str | None = None
