"""Protobuf payloads as JSON, by Protobuf's own JSON mapping (https://protobuf.dev/programming-guides/json/).

Names are in lowerCamelCase and fields without presence are always there, also with their default. A message with a
field ``event_type`` is EventHub's own envelope: its names stay as they are.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from eventhub.events.envelope import Undecodable
from eventhub.events.wire_format.descriptors import Descriptors
from eventhub.events.wire_format.framing import read_indexes
from eventhub.events.wire_format.schema import Schema

FAILURES = (
    json_format.Error,
    DecodeError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


class ProtobufDecoder:
    """Reads payloads that were written with one schema, whichever of its messages they are."""

    def __init__(self, schema: Schema, dependencies: Mapping[str, Schema]) -> None:
        """Raises BadSchema."""
        self._descriptors = Descriptors(schema, dependencies)
        self._types: dict[tuple[int, ...], _Type] = {}

    def decode(self, payload: bytes, in_header: bytes | None) -> bytes:
        """The payload as JSON. Raises Undecodable."""
        if in_header is None:
            indexes, payload = read_indexes(payload)
        else:
            indexes, _ = read_indexes(in_header)
        if (known := self._types.get(indexes)) is None:
            self._types[indexes] = known = self._type(indexes)
        try:
            return known.decode(payload)
        except FAILURES as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
            raise Undecodable(
                "DoesNotFitSchema", f"The bytes do not fit the Protobuf schema they name: {reason}."
            ) from None

    def _type(self, indexes: tuple[int, ...]) -> "_Type":
        descriptor = self._descriptors.message_type(indexes)
        if descriptor is None:
            raise Undecodable(
                "DoesNotFitSchema",
                f"The message says that its type is number {'.'.join(map(str, indexes))} of its Protobuf schema, which "
                "has no such type.",
            )
        return _Type(descriptor, self._descriptors.pool)


class _Type:
    """One message type, ready to read."""

    def __init__(self, descriptor: Descriptor, pool: DescriptorPool) -> None:
        self._pool = pool
        self._class: type[Message] = GetMessageClass(descriptor)
        self._is_envelope = "event_type" in descriptor.fields_by_name

    def decode(self, payload: bytes) -> bytes:
        value = json_format.MessageToDict(
            self._class.FromString(payload),
            always_print_fields_with_no_presence=True,
            preserving_proto_field_name=self._is_envelope,
            descriptor_pool=self._pool,
        )
        if self._is_envelope:
            _count_as_number(value)
        return msgspec.json.encode(value)


def _count_as_number(value: dict[str, Any]) -> None:
    """Protobuf's JSON writes 64-bit numbers as strings; the envelope's one is a number."""
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and str(metadata.get("stream_version", "")).isdecimal():
        metadata["stream_version"] = int(metadata["stream_version"])
