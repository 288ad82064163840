"""What a delivery of RabbitMQ is to EventHub, and where a message goes that is published.

What a message is here
    ``topic`` is the tapped exchange, else the queue. ``key`` is the routing key. ``headers`` tells the header table as
    text (see `headers`), and the content type as ``content-type`` where no header has that name. ``properties`` holds
    ``exchange``, ``routing_key`` and ``queue``, every property that the message has (see `properties`) and, where a
    header is not text, ``typed_headers``.

Where a message is published to
    To the exchange and with the routing key that its properties name; an exchange of ``""`` is RabbitMQ's default one,
    whose routing keys are names of queues. Without ``exchange`` among the properties, ``topic`` is the queue. The other
    properties are sent as they are, but for the expiration and another user's id. Headers have the types that they had
    as long as they say the same; what RabbitMQ adds when it delivers is left out. So a message is put back just as it
    was read with its own properties, put into the queue it was read from without ``exchange`` and with ``queue`` as the
    topic, and put back where it died with the exchange and the first routing key of its ``x-death``.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from eventhub.brokers.kinds import Role
from eventhub.brokers.rabbitmq.frames import Delivery
from eventhub.brokers.rabbitmq.headers import MALFORMED, NO_HEADERS, instant, read_headers
from eventhub.brokers.rabbitmq.properties import (
    ADDED_BY_RABBITMQ,
    STREAM_OFFSET,
    TYPED_HEADERS,
    read_properties,
)
from eventhub.brokers.rabbitmq.tap import Tap
from eventhub.events.message import HeaderPairs, Message, OutgoingMessage, lower_headers

# An AMQP timestamp counts seconds; some clients write milliseconds. No message is from the year 5138.
MAX_SECONDS = 10**11


class Delivered(Message, frozen=True, gc=False):
    """A message and the tag to acknowledge it by."""

    tag: int = 0


class Maker:
    """Makes messages of the deliveries of one source."""

    def __init__(self, tap: Tap) -> None:
        self._place = f"rabbitmq:{tap.source.name}"
        self._are_letters = tap.source.role == Role.DEAD_LETTERS
        self._queue = tap.queue
        self._topic = tap.topic
        self._is_stream = tap.is_stream

    def message(self, delivery: Delivery, now: datetime) -> Delivered:
        """The message; its time is `now` where neither RabbitMQ nor the publisher tells one."""
        try:
            properties, table = read_properties(delivery.properties)
        except MALFORMED:  # no client writes such a thing, and it must not hold up the others
            properties, table = {}, b""
        pairs, typed = read_headers(table, ADDED_BY_RABBITMQ) if table else NO_HEADERS
        headers, raw_headers = lower_headers(pairs)
        if content_type := properties.get("content_type"):
            headers.setdefault("content-type", content_type)
        if typed:
            properties[TYPED_HEADERS] = typed
        properties["exchange"] = delivery.exchange
        properties["routing_key"] = delivery.routing_key
        properties["queue"] = self._queue
        # A queue has no positions, so the time of a message in one is not known to be the same when it comes again.
        offset = headers.get(STREAM_OFFSET, "") if self._is_stream else ""
        return Delivered(
            body=delivery.body,
            topic=self._topic,
            offset=offset,
            origin_key=self._origin_key(delivery, properties, pairs, offset),
            headers=headers,
            key=delivery.routing_key,
            timestamp=_taken_at(headers, properties) or now,
            delivery_count=_delivery_count(delivery, headers),
            raw_headers=raw_headers,
            properties=properties,
            tag=delivery.tag,
        )

    def _origin_key(
        self, delivery: Delivery, properties: Mapping[str, str], headers: HeaderPairs, offset: str
    ) -> str:
        """What stays the same when it comes again: its place in a stream, its id, or what it holds.

        In a dead-letter queue the headers count as well: a message that dies twice is two letters.
        """
        if offset:
            return f"{self._place}/{self._queue}/{offset}"
        message_id = properties.get("message_id", "")
        if message_id and message_id.isprintable() and not self._are_letters:
            return f"{self._place}/{message_id}"
        told = [delivery.exchange, delivery.routing_key, message_id, properties.get("timestamp", "")]
        if self._are_letters:
            told += [text for pair in headers if pair[0] not in ADDED_BY_RABBITMQ for text in pair]
        content = "\0".join(told).encode() + b"\0" + delivery.body
        return f"{self._place}/content/{hashlib.blake2b(content, digest_size=16).hexdigest()}"


def route(message: OutgoingMessage) -> tuple[str, str]:
    """The exchange and the routing key that `message` is published with."""
    exchange = message.properties.get("exchange")
    if exchange is None:
        return "", message.topic
    return exchange, message.properties.get("routing_key", message.key or "")


def _taken_at(headers: Mapping[str, str], properties: Mapping[str, str]) -> datetime | None:
    """When the broker took it, where it is set up to say so; else when the publisher says that it sent it."""
    taken_ms = headers.get("timestamp_in_ms", "")
    if taken_ms.isdigit():
        return instant(int(taken_ms) / 1000)
    if sent := properties.get("timestamp"):
        seconds = int(sent)
        return instant(seconds if seconds < MAX_SECONDS else seconds / 1000)
    return None


def _delivery_count(delivery: Delivery, headers: Mapping[str, str]) -> int:
    """A quorum queue counts; a classic one says no more than that it was delivered before: then it is at least two."""
    failed = headers.get("x-delivery-count", "")
    return max(int(failed) + 1 if failed.isdigit() else 1, 1 + delivery.redelivered)
