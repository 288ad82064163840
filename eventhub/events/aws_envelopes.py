"""What Amazon SNS and EventBridge wrap around a message before it reaches a queue.

SNS (https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html): a JSON object whose `Message` is the
text that was published, unless the subscription asks for raw delivery. EventBridge
(https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html): a JSON object whose `detail` is the
event's data. Messages keep the body as it came, wrapped, so that a retry sends what was received; both are opened
only when the event is read.
"""

import base64
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Raw

from eventhub.events import checks, cloudevents, correlation, native
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import HeaderPairs, Message, lower_headers
from eventhub.events.wire_text import to_text


class Attribute(msgspec.Struct):
    """A message attribute of SNS. `Type` is String, String.Array, Number or Binary, which is Base64."""

    Type: str = "String"
    Value: str = ""


class Notification(msgspec.Struct):
    """What SNS delivers. Names as on the wire."""

    Message: str
    MessageId: str
    TopicArn: str
    Timestamp: datetime | None = None
    Subject: str | None = None
    SequenceNumber: str | None = None
    MessageAttributes: dict[str, Attribute] = {}


_decode_notification = msgspec.json.Decoder(Notification).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str | None).decode


def is_notification(fields: Mapping[str, Raw]) -> bool:
    """Whether the top level of a JSON object is that of an SNS notification."""
    return "TopicArn" in fields and "MessageId" in fields and "Message" in fields


def unwrap(message: Message) -> Message:
    """The message that was published to SNS, out of the `message` that SNS delivered; any other as it is.

    Its attributes become headers, beside ``x-amz-sns-topic-arn`` and ``x-amz-sns-message-id`` as SNS names them over
    HTTP, and ``x-amz-sns-subject`` where there is one. An event without id or time gets the notification's, which are
    the same in every queue that the topic feeds. Raises msgspec.ValidationError where a field is of a wrong type.
    """
    if b'"TopicArn"' not in message.body:
        return message
    try:
        if not is_notification(_decode_fields(message.body)):
            return message
    except msgspec.DecodeError:
        return message
    notification = _decode_notification(message.body)
    headers, raw_headers = lower_headers((*message.header_pairs(), *_headers_of(notification)))
    told = {
        "SNS.TopicArn": notification.TopicArn,
        "SNS.MessageId": notification.MessageId,
        "SNS.Timestamp": notification.Timestamp.isoformat() if notification.Timestamp else None,
        "SNS.SequenceNumber": notification.SequenceNumber,
    }
    return msgspec.structs.replace(
        message,
        body=notification.Message.encode(),
        origin_key=f"sns:{notification.MessageId}",
        headers=headers,
        raw_headers=raw_headers,
        timestamp=_instant("Timestamp", notification.Timestamp) or message.timestamp,
        properties=message.properties | {name: value for name, value in told.items() if value is not None},
    )


def is_eventbridge(fields: Mapping[str, Raw]) -> bool:
    """Whether the top level of a JSON object is that of an EventBridge event."""
    return "detail-type" in fields and "detail" in fields and "source" in fields


def eventbridge(fields: dict[str, Raw], message: Message) -> Event:
    """Read an EventBridge event of which `fields` are the top level. Raises Undecodable, msgspec.ValidationError.

    `detail-type`, `id`, `source` and `time` are the event's, `detail` is its data, what else there is its metadata.
    Where `detail` is an event itself (native, with `event_type` and `data`, or a CloudEvent), it is that event: what
    it leaves out comes from around it, and what is around it becomes headers ``eventbridge-*``.
    """
    texts = {name: _text(name, fields) for name in ("id", "source", "detail-type")}
    time = _instant("time", _time(fields["time"])) if "time" in fields else None
    if inner := _event_in(fields, message, texts["id"], time):
        around = tuple((f"eventbridge-{name}", value) for name, value in texts.items() if value)
        return msgspec.structs.replace(inner, headers=(*message.header_pairs(), *around))
    detail = str(fields["detail"], "utf-8")
    rest = {
        name: value for name, value in fields.items() if name not in {"detail", "detail-type", "id", "time"}
    }
    metadata = msgspec.json.encode(rest).decode()
    checks.refuse_nul(detail)
    checks.refuse_nul(metadata)
    occurred_at = time or message.timestamp
    if occurred_at is None:
        raise Undecodable("MissingField", "time is missing, and the broker does not tell one either.")
    event_id = checks.field("id", texts["id"])
    return Event(
        event_id=event_id or message.origin_key,
        event_type=checks.required("detail-type", texts["detail-type"]),
        occurred_at=occurred_at,
        data=detail,
        metadata=metadata,
        source=checks.required("source", texts["source"]),
        correlation_id=checks.field("correlation id", correlation.from_message(message)),
        has_producer_id=event_id is not None,
        has_producer_time=time is not None,
    )


def _event_in(
    fields: dict[str, Raw], message: Message, event_id: str | None, time: datetime | None
) -> Event | None:
    """The event that `detail` is, if it is one."""
    raw = fields["detail"]
    if not bytes(raw).startswith(b"{"):
        return None
    detail = _decode_fields(raw)
    body = bytes(raw)
    inner = msgspec.structs.replace(
        message,
        body=body,
        origin_key=f"eventbridge:{event_id}" if event_id else message.origin_key,
        timestamp=time or message.timestamp,
    )
    if {"event_type", "data"} <= detail.keys():
        return native.decode_fields(detail, body.decode(), inner)
    if {"specversion", "id", "source", "type"} <= detail.keys():
        return cloudevents.decode_structured(detail, inner)
    return None


def _headers_of(notification: Notification) -> HeaderPairs:
    pairs = [(name, _value(attribute)) for name, attribute in notification.MessageAttributes.items()]
    pairs.append(("x-amz-sns-topic-arn", notification.TopicArn))
    pairs.append(("x-amz-sns-message-id", notification.MessageId))
    if notification.Subject:
        pairs.append(("x-amz-sns-subject", notification.Subject))
    return tuple(pairs)


def _value(attribute: Attribute) -> str:
    if attribute.Type == "Binary":
        try:
            return to_text(base64.b64decode(attribute.Value, validate=True))
        except ValueError:
            pass  # not what SNS sends: as it came
    return to_text(attribute.Value.encode("utf-8", "surrogatepass"))


def _text(name: str, fields: Mapping[str, Raw]) -> str | None:
    try:
        return _decode_text(fields[name]) if name in fields else None
    except msgspec.ValidationError:
        raise Undecodable("WrongType", f"{name} of the EventBridge event must be a string.") from None


def _time(raw: Raw) -> datetime | None:
    try:
        time: datetime | None = msgspec.json.decode(raw, type=datetime | None)
    except msgspec.ValidationError:
        shown = bytes(raw)[:60].decode(errors="replace")
        raise Undecodable("BadTime", f"time is {shown}; EventBridge writes 2030-12-31T23:59:59Z.") from None
    return time


def _instant(name: str, time: datetime | None) -> datetime | None:
    return None if time is None else checks.instant(name, time)
