"""Schemas as a registry keeps them."""

from typing import Literal

import msgspec


class BadSchema(ValueError):
    """A schema of the registry cannot be used. The text says why, in a sentence."""


class Reference(msgspec.Struct, frozen=True):
    """Another schema that a schema uses, under the name by which it does."""

    name: str
    subject: str
    version: int


class Schema(msgspec.Struct, frozen=True):
    """A schema as it was registered."""

    text: str = msgspec.field(name="schema")
    kind: Literal["AVRO", "PROTOBUF", "JSON"] = msgspec.field(name="schemaType", default="AVRO")
    references: tuple[Reference, ...] = ()
