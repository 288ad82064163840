"""What a schema registry remembers: schemas by id, versions by subject, references between them. In memory."""

import base64
import binascii
import hashlib
import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import fastavro
import jsonschema_rs
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from eventhub.events.wire_format.descriptors import well_known_places

KINDS = ("JSON", "PROTOBUF", "AVRO")
# The name under which a .proto text that others refer to by their own name is compiled itself.
MAIN_PROTO = "default.proto"


class RegistryError(Exception):
    """What the registry answers instead: the code of Confluent's API, whose first three digits are the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        return int(str(self.code)[:3])


@dataclass(frozen=True)
class Reference:
    """By which name a schema refers to a version of a subject."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class Schema:
    """A schema as it was registered."""

    text: str
    kind: str = "AVRO"
    references: tuple[Reference, ...] = ()

    @property
    def guid(self) -> str:
        """The same wherever the same schema is registered."""
        return str(uuid.UUID(bytes=hashlib.md5(repr(self).encode(), usedforsecurity=False).digest()))


@dataclass(frozen=True)
class Version:
    """One version of a subject; a deleted one is still found by those who ask for deleted ones, and by its id."""

    subject: str
    version: int
    id: int
    deleted: bool = False


@dataclass
class SchemaStore:
    """Ids count from 1; the same schema has the same id under every subject, and a subject's versions count from 1."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    subjects: dict[str, dict[int, Version]] = field(default_factory=dict)

    def register(self, subject: str, schema: Schema) -> Version:
        """The version under which `schema` stands, which is a new one unless it already stood there."""
        schema = self._checked(schema)
        schema_id = next((i for i, known in self.schemas.items() if known == schema), len(self.schemas) + 1)
        self.schemas[schema_id] = schema
        versions = self.subjects.setdefault(subject, {})
        for version in versions.values():
            if version.id == schema_id and not version.deleted:
                return version
        added = Version(subject, max(versions, default=0) + 1, schema_id)
        versions[added.version] = added
        return added

    def find(self, subject: str, schema: Schema) -> Version:
        """The version under which `schema` stands."""
        schema = self._checked(schema)
        for version in self.versions(subject):
            if self.schemas[version.id] == schema:
                return version
        raise RegistryError(40403, "Schema not found")

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """The versions of a subject, oldest first."""
        found = [v for v in self.subjects.get(subject, {}).values() if deleted or not v.deleted]
        if not found:
            raise RegistryError(40401, f"Subject '{subject}' not found.")
        return found

    def version(self, subject: str, number: str, *, deleted: bool = False) -> Version:
        """One version by its number or as ``latest``."""
        versions = self.versions(subject, deleted=deleted)
        if number in ("latest", "-1"):
            return versions[-1]
        if not number.isdigit() or int(number) < 1:
            raise RegistryError(42202, f"The specified version '{number}' is not a valid version id.")
        for version in versions:
            if version.version == int(number):
                return version
        raise RegistryError(40402, f"Version {number} not found.")

    def schema(self, schema_id: int) -> Schema:
        """A schema by its id, deleted or not."""
        if schema_id not in self.schemas:
            raise RegistryError(40403, f"Schema {schema_id} not found")
        return self.schemas[schema_id]

    def by_guid(self, guid: str) -> tuple[int, Schema]:
        """A schema and its id."""
        for schema_id, schema in self.schemas.items():
            if schema.guid == guid:
                return schema_id, schema
        raise RegistryError(40403, f"Schema {guid} not found")

    def uses(self, schema_id: int, *, deleted: bool = False) -> list[Version]:
        """Where a schema stands."""
        self.schema(schema_id)
        return [v for v in self._all_versions() if v.id == schema_id and (deleted or not v.deleted)]

    def referrers(self, subject: str, number: str) -> list[int]:
        """The ids of the schemas that refer to this version."""
        version = self.version(subject, number)
        target = (version.subject, version.version)
        return [
            i for i, s in self.schemas.items() if target in {(r.subject, r.version) for r in s.references}
        ]

    def delete(self, versions: list[Version], *, permanent: bool) -> list[int]:
        """Delete versions of one subject: softly first, and for good only what was softly deleted before."""
        for version in versions:
            if self.referrers_of_live(version):
                raise RegistryError(42206, "One or more references exist to the schema")
            if permanent and not version.deleted:
                raise RegistryError(
                    40407, f"Version {version.version} was not deleted first before being purged"
                )
        for version in versions:
            if permanent:
                del self.subjects[version.subject][version.version]
            else:
                self.subjects[version.subject][version.version] = replace(version, deleted=True)
        return [version.version for version in versions]

    def referrers_of_live(self, version: Version) -> list[Version]:
        """The versions in use that refer to this one."""
        target = (version.subject, version.version)
        return [
            v
            for v in self._all_versions()
            if not v.deleted and target in {(r.subject, r.version) for r in self.schemas[v.id].references}
        ]

    def serialized(self, schema: Schema) -> str:
        """A Protobuf schema as its FileDescriptorProto in base64."""
        return base64.b64encode(_compiled_proto(schema.text, dict(self._resolved(schema)))).decode()

    def _all_versions(self) -> Iterator[Version]:
        for versions in self.subjects.values():
            yield from versions.values()

    def _resolved(self, schema: Schema) -> Iterator[tuple[str, str]]:
        """The texts that a schema refers to, by name, those first that others refer to."""
        for reference in schema.references:
            try:
                version = self.version(reference.subject, str(reference.version), deleted=True)
            except RegistryError as error:
                raise RegistryError(42201, f"Invalid schema: reference {reference.name}: {error}") from error
            referred = self.schemas[version.id]
            yield from self._resolved(referred)
            yield reference.name, referred.text

    def _checked(self, schema: Schema) -> Schema:
        """The schema as it is compared; raises RegistryError for what is none."""
        referred = dict(self._resolved(schema))
        try:
            match schema.kind:
                case "AVRO":
                    named: dict[str, dict[Any, Any]] = {}
                    for text in referred.values():
                        fastavro.parse_schema(json.loads(text), named_schemas=named)
                    fastavro.parse_schema(json.loads(schema.text), named_schemas=named)
                    return replace(schema, text=json.dumps(json.loads(schema.text), separators=(",", ":")))
                case "JSON":
                    jsonschema_rs.meta.validate(json.loads(schema.text))
                    return replace(schema, text=json.dumps(json.loads(schema.text), separators=(",", ":")))
                case "PROTOBUF":
                    _compiled_proto(schema.text, referred)
                    return schema
        except (ValueError, TypeError, KeyError, fastavro.schema.SchemaParseException) as error:
            raise RegistryError(42201, f"Invalid schema of type {schema.kind}: {error}") from error
        raise RegistryError(42201, f"Invalid schema type {schema.kind}")


def _compiled_proto(text: str, referred: dict[str, str]) -> bytes:
    """The FileDescriptorProto of a .proto text, or the one that was registered in its place. Raises ValueError."""
    if (serialized := _from_base64(text)) is not None:
        return serialized
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for path, content in {**referred, MAIN_PROTO: text}.items():
            file = (folder / path).resolve()
            if not file.is_relative_to(folder):
                raise ValueError(f"{path} is no name for a reference")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        includes = [f"-I{place}" for place in (folder, *well_known_places())]
        options = [*includes, f"--descriptor_set_out={folder}/set"]
        result = subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", *options, MAIN_PROTO],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ValueError(result.stderr.strip())
        (compiled,) = FileDescriptorSet.FromString((folder / "set").read_bytes()).file
        return compiled.SerializeToString()


def _from_base64(text: str) -> bytes | None:
    """What clients register that have no text; None when it is one."""
    try:
        return FileDescriptorProto.FromString(base64.b64decode(text, validate=True)).SerializeToString()
    except (binascii.Error, ValueError, DecodeError):
        return None
