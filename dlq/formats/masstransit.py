"""MassTransit's ``_error`` and ``_skipped`` queues: ``MT-*`` headers, and the envelope in the body.

https://masstransit.io/documentation/concepts/exceptions#error-queue
"""

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from dlq.formats.bodies import event_of
from dlq.formats.format import Death, queue_of
from dlq.formats.values import count
from eventhub.events.envelope import Event
from eventhub.events.message import Message
from eventhub.events.times import read_time

FAULT = "mt-fault-"
REASON = "mt-reason"
HOST = "mt-host-"
SUFFIXES = ("_error", "_skipped")
TYPE_PREFIX = "urn:message:"


class _Envelope(msgspec.Struct):
    """The body. Names as on the wire; what is of another type is not read."""

    messageId: Any = None
    conversationId: Any = None
    correlationId: Any = None
    initiatorId: Any = None
    sourceAddress: Any = None
    destinationAddress: Any = None
    messageType: Any = None
    sentTime: Any = None
    message: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Envelope).decode


class MassTransit:
    """The fault in headers, the message in its envelope."""

    name = "MassTransit"

    def recognises(self, message: Message) -> bool:
        """Whether there is a reason, or anything about a fault."""
        return REASON in message.headers or any(name.startswith(FAULT) for name in message.headers)

    def read(self, message: Message) -> Death:
        """The fault; a message that nobody consumes (``_skipped``) has none, and says only that."""

        def value(name: str) -> str:
            return message.headers.get(FAULT + name, "")

        envelope = _envelope(message.body)
        queue = (
            _queue(value("inputaddress"))
            or _origin_by_name(message)
            or _queue(_text(envelope.destinationAddress))
        )
        retries = (count(value("retrycount")) or 0) + (count(value("redeliverycount")) or 0)
        reason = message.headers.get(REASON, "")
        nobody = (
            ""
            if value("exceptiontype")
            else f"No consumer of the queue takes this message ({reason or 'skipped'})."
        )
        return Death(
            error_class=value("exceptiontype"),
            error_message=value("message") or nobody,
            stack=value("stacktrace"),
            failed_in=value("consumertype") or queue,
            origin=queue_of(message, queue),
            attempts=min(1 + retries, 1_000_000),
            failed_at=read_time(value("timestamp")),
            event=_event(message, envelope, value("messagetype")),
        )

    def owns(self, header: str) -> bool:
        """The reason, the fault, and the host on which it happened."""
        return header == REASON or header.startswith((FAULT, HOST))


def _event(message: Message, envelope: _Envelope, fault_type: str) -> Event | None:
    types = envelope.messageType if isinstance(envelope.messageType, list) else [fault_type]
    return event_of(
        message,
        event_id=_text(envelope.messageId) or message.headers.get("messageid", ""),
        event_type=_text(types[0] if types else "").removeprefix(TYPE_PREFIX),
        source=_queue(_text(envelope.sourceAddress)),
        correlation_id=_text(envelope.conversationId) or _text(envelope.correlationId),
        causation_id=_text(envelope.initiatorId),
        occurred_at=read_time(envelope.sentTime),
        body=bytes(envelope.message),
    )


def _envelope(body: bytes) -> _Envelope:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Envelope()


def _queue(address: str) -> str:
    """The queue at the end of an address such as ``rabbitmq://host/vhost/orders?durable=true`` or ``queue:orders``."""
    try:
        return unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2])
    except ValueError:
        return ""


def _origin_by_name(message: Message) -> str:
    """``orders`` for ``orders_error``."""
    read_from = message.properties.get("queue") or message.topic
    return next((read_from.removesuffix(suffix) for suffix in SUFFIXES if read_from.endswith(suffix)), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
