"""Messages in Confluent's wire format, opened: the JSON that their schema in a registry says they hold."""

from time import monotonic
from typing import Protocol
from uuid import UUID

import msgspec

from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message
from eventhub.events.wire_format.avro import AvroDecoder
from eventhub.events.wire_format.framing import frame, is_framed
from eventhub.events.wire_format.protobuf import ProtobufDecoder
from eventhub.events.wire_format.registry import Registry, RegistryError, UnknownSchema
from eventhub.events.wire_format.schema import BadSchema

__all__ = ["Registry", "RegistryError", "WireFormat", "is_framed"]

# A schema that cannot be used is not compiled anew for each message; the reason may be on our side and pass.
BAD_FOR_S = 30.0


class Decoder(Protocol):
    """Reads what was written with one schema."""

    def decode(self, payload: bytes, in_header: bytes | None) -> bytes:
        """The payload as JSON; see `Frame` for `in_header`. Raises Undecodable."""


class JsonDecoder:
    """JSON Schema: the payload is the JSON."""

    def decode(self, payload: bytes, in_header: bytes | None) -> bytes:
        """The payload itself."""
        return payload


class WireFormat:
    """Opens messages with the schemas of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._decoders: dict[int | UUID, Decoder] = {}
        self._bad: dict[int | UUID, tuple[str, float]] = {}

    def open(self, message: Message) -> Message:
        """`message` with JSON as its body where it is in wire format; any other as it is.

        Raises Undecodable when the message is wrong, RegistryError when the registry cannot be asked.
        """
        framed = frame(message)
        if framed is None:
            return message
        body = self._decoder(framed.schema).decode(framed.payload, framed.in_header)
        headers = message.headers
        if "content-type" in headers and "json" not in headers["content-type"]:
            headers = {**headers, "content-type": "application/json"}
        return msgspec.structs.replace(message, body=body, headers=headers)

    def _decoder(self, key: int | UUID) -> Decoder:
        if key not in self._decoders:
            self._decoders[key] = self._make(key)
        return self._decoders[key]

    def _make(self, key: int | UUID) -> Decoder:
        reason, until = self._bad.get(key, ("", 0.0))
        if until > monotonic():
            raise Undecodable("BadSchema", reason)
        try:
            schema = self._registry.schema(key)
            dependencies = self._registry.dependencies(schema)
            match schema.kind:
                case "AVRO":
                    return AvroDecoder(schema, dependencies)
                case "PROTOBUF":
                    return ProtobufDecoder(schema, dependencies)
                case "JSON":
                    return JsonDecoder()
        except UnknownSchema as error:
            raise Undecodable(
                "UnknownSchema",
                f"The message was written with schema {key}, and the registry at {self._registry.name} has none at "
                f"{error.args[0]}.",
            ) from None
        except BadSchema as error:
            reason = f"Schema {key} of the registry at {self._registry.name} cannot be used. {error}"
            self._bad[key] = (reason, monotonic() + BAD_FOR_S)
            raise Undecodable("BadSchema", reason) from None
