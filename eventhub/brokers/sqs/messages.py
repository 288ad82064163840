"""Messages of Amazon SQS: from what the API returns, and to what it takes. No network here.

Message attributes are headers; an attribute that is not plainly a String leaves its type in the property
``DataType.NAME``. The system attributes are properties under their own names: ``SentTimestamp``, ``SenderId``,
``ApproximateReceiveCount``, ``ApproximateFirstReceiveTimestamp``, ``MessageGroupId``, ``MessageDeduplicationId``,
``SequenceNumber``, ``AWSTraceHeader``, and on a dead-letter queue ``DeadLetterQueueSourceArn``, the queue that gave the
message up: a message published to that ARN goes there.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from eventhub.events.message import HeaderPairs, Message, OutgoingMessage, lower_headers
from eventhub.events.wire_text import PREFIX, to_bytes, to_text

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

BATCH = 10
# A message may have 1 MiB on AWS and a batch as well; servers of before 2025 take batches of 256 KiB. So a message
# that is larger than that goes alone.
BATCH_BYTES = 262_144
MAX_BYTES = 1_048_576
MAX_ATTRIBUTES = 10
# EventHub's own headers begin so. Where an attribute for each is too many, they travel in one, as JSON.
OWN = "eventhub-"
PACKED = "eventhub-headers"
DATA_TYPE = "DataType."
# What SQS accepts as text: https://www.w3.org/TR/REC-xml/#charsets
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ATTRIBUTE_NAME = re.compile(r"(?!aws\.|amazon\.)(?!.*\.\.)(?!\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
ID = re.compile(r"[!-~]{1,128}")


class Unsendable(ValueError):
    """SQS would not take the message. The text says why, as a sentence that begins with "The message"."""


class Entry(msgspec.Struct, frozen=True):
    """A message ready to be sent."""

    # Its place in what was given to `publish`.
    index: int
    # As SQS counts: body, and names, types and values of the attributes.
    size_bytes: int
    # FIFO: what keeps order with it.
    group: str
    # The members of a SendMessageBatchRequestEntry but for its Id.
    fields: dict[str, Any]


def message_of(raw: "MessageTypeDef", topic: str, origin: str) -> Message:
    """The message that ReceiveMessage returned as `raw`; `origin` with its id tells it from all others."""
    system: dict[str, str] = raw.get("Attributes") or {}  # type: ignore[assignment]
    attributes = raw.get("MessageAttributes")
    headers, raw_headers, types = _headers(attributes) if attributes else ({}, (), {})
    count = system.get("ApproximateReceiveCount", "")
    message_id = raw["MessageId"]
    return Message(
        raw["Body"].encode("utf-8", "surrogatepass"),
        topic,
        message_id,
        f"{origin}{message_id}",
        headers,
        key=system.get("MessageGroupId"),
        timestamp=_time(system.get("SentTimestamp", "")),
        delivery_count=int(count) if count.isdigit() else None,
        raw_headers=raw_headers,
        properties=system | types if types else system,
    )


def entry_of(index: int, message: OutgoingMessage, *, is_fifo: bool) -> Entry:
    """`message` as SQS takes it. Raises Unsendable.

    On a FIFO queue the group is the property ``MessageGroupId``, else the key, else one for all. The deduplication id
    is the property, else a new one. But a message that carries EventHub's own headers is sent again on purpose, perhaps
    within the five minutes in which SQS would drop it as a duplicate: its id is derived from both, so that the same
    retry is taken once.
    """
    if not message.body:
        raise Unsendable("The message has an empty body, which SQS does not carry.")
    fields: dict[str, Any] = {"MessageBody": _text(message.body, "body")}
    size = len(message.body)
    attributes = _attributes(message)
    if attributes:
        fields["MessageAttributes"] = attributes
        size += sum(map(_size, attributes, attributes.values()))
    if trace := message.properties.get("AWSTraceHeader"):
        fields["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    group = message.properties.get("MessageGroupId", "")
    if is_fifo:
        group = _fitting(group or message.key or "eventhub")
        fields["MessageDeduplicationId"] = _deduplication_id(message)
    if group:
        fields["MessageGroupId"] = group
    return Entry(index, size, group, fields)


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """`entries` in their order, cut into what one SendMessageBatch takes."""
    batch: list[Entry] = []
    size = 0
    for each in entries:
        if batch and (len(batch) == BATCH or size + each.size_bytes > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size_bytes
    if batch:
        yield batch


def lanes(entries: Iterable[Entry], count: int) -> list[list[Entry]]:
    """At most `count` lists that may be sent side by side: a FIFO group is whole and in order in one of them."""
    found: dict[object, list[Entry]] = {}
    for n, each in enumerate(entries):
        lane = hash(each.group) % count if each.group else n // BATCH % count
        found.setdefault(lane, []).append(each)
    return list(found.values())


def _headers(attributes: Mapping[str, Any]) -> tuple[dict[str, str], HeaderPairs, dict[str, str]]:
    """Headers, raw headers, and the types of those that are not plainly Strings."""
    pairs: list[tuple[str, str]] = []
    types: dict[str, str] = {}
    for name, attribute in attributes.items():
        kind = attribute["DataType"]
        value = attribute.get("StringValue")
        if kind != "String":
            types[f"{DATA_TYPE}{name}"] = kind
        if value is None:
            pairs.append((name, to_text(attribute.get("BinaryValue", b""))))
        elif name == PACKED:
            pairs += _unpacked(value)
        elif value.startswith(PREFIX):
            pairs.append((name, to_text(value.encode())))
        else:
            pairs.append((name, value))
    return *lower_headers(pairs), types


def _attributes(message: OutgoingMessage) -> dict[str, dict[str, Any]]:
    pairs = list(message.headers)
    if len(pairs) > MAX_ATTRIBUTES:
        own = [pair for pair in pairs if pair[0].lower().startswith(OWN)]
        pairs = [pair for pair in pairs if pair not in own]
        if own:
            pairs.append((PACKED, msgspec.json.encode(own).decode()))
        if len(pairs) > MAX_ATTRIBUTES:
            raise Unsendable(
                f"The message has {len(message.headers)} headers"
                + (f", {len(own)} of them EventHub's own, which need one attribute" if own else "")
                + f"; SQS carries {MAX_ATTRIBUTES} attributes. Send it with fewer headers."
            )
    attributes: dict[str, dict[str, Any]] = {}
    for name, value in pairs:
        if name in attributes:
            raise Unsendable(f"The message has two headers {name!r}; SQS carries one of each name.")
        if not ATTRIBUTE_NAME.fullmatch(name):
            raise Unsendable(
                f"The message has a header {name[:60]!r}, and SQS does not allow such a name of an attribute: "
                "letters, digits, '_', '-' and single '.', not beginning with 'AWS.' or 'Amazon.'."
            )
        attributes[name] = _attribute(
            name, to_bytes(value), message.properties.get(DATA_TYPE + name, "String")
        )
    return attributes


def _attribute(name: str, value: bytes, data_type: str) -> dict[str, Any]:
    if not value:
        raise Unsendable(f"The message has a header {name!r} without value, which SQS does not carry.")
    if not data_type.startswith("Binary"):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            data_type = "Binary"
        else:
            return {"DataType": data_type, "StringValue": _allowed(text, f"header {name!r}")}
    return {"DataType": data_type, "BinaryValue": value}


def _size(name: str, attribute: Mapping[str, Any]) -> int:
    value = attribute["StringValue"].encode() if "StringValue" in attribute else attribute["BinaryValue"]
    return len(name) + len(attribute["DataType"]) + len(value)


def _text(body: bytes, what: str) -> str:
    try:
        return _allowed(body.decode(), what)
    except UnicodeDecodeError as error:
        raise Unsendable(f"The message's {what} is not UTF-8, and SQS carries text alone: {error}.") from None


def _allowed(text: str, what: str) -> str:
    if found := FORBIDDEN.search(text):
        raise Unsendable(
            f"The message's {what} holds the character U+{ord(found[0]):04X}, which SQS does not carry."
        )
    return text


def _fitting(group: str) -> str:
    """`group`, or what stands for it where SQS would not take it as the id of a group."""
    if ID.fullmatch(group):
        return group
    return hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()


def _deduplication_id(message: OutgoingMessage) -> str:
    given = message.properties.get("MessageDeduplicationId")
    own = [pair for pair in message.headers if pair[0].lower().startswith(OWN)]
    if own:
        return hashlib.sha256(msgspec.json.encode((given or message.body, own))).hexdigest()
    return given or str(uuid4())


def _unpacked(value: str) -> HeaderPairs:
    try:
        return msgspec.json.decode(value, type=HeaderPairs)
    except msgspec.DecodeError:
        return ((PACKED, value),)


def _time(milliseconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
