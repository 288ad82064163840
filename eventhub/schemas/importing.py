"""Schemas from elsewhere: JSON Schema, AsyncAPI 2 and 3, Avro, and a registry that speaks Confluent's API."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from django.db import transaction

from eventhub.events.wire_format.registry import Registry, RegistryError, UnknownSchema
from eventhub.events.wire_format.schema import Reference
from eventhub.schemas.avro import BadAvro, to_json_schema
from eventhub.schemas.bundling import BadBundle, bundled
from eventhub.schemas.checking import flaws_of
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from eventhub.schemas.registry.subjects import ENDINGS, data_schema

AVRO_KINDS = {"record", "enum", "array", "map", "fixed"}
MOST_DEPTH = 30


class BadImport(ValueError):
    """What was given holds no schema that can be read; the message says why."""


class Found(msgspec.Struct, frozen=True):
    """A schema of an event type. `version` is empty where nobody says it."""

    event_type: str
    schema: Any
    version: str = ""
    description: str = ""


def read(text: str, name: str, others: Mapping[str, str] = MappingProxyType({})) -> list[Found]:
    """The schemas of a document; `name` is the event type where the document names none. Raises BadImport.

    `others` are the texts of JSON Schemas that it may refer to, by name; what it refers to comes along.
    """
    try:
        document = json.loads(text)
        if others and isinstance(document, dict) and "asyncapi" not in document:
            document = bundled(document, {ref: json.loads(other) for ref, other in others.items()})
        return _schemas(document, name)
    except BadBundle as error:
        raise BadImport(str(error)) from error
    except json.JSONDecodeError as error:
        raise BadImport(f"It is not JSON: {error}.") from error
    except RecursionError as error:
        raise BadImport("It is nested too deep.") from error


def _schemas(document: Any, name: str) -> list[Found]:
    if isinstance(document, dict) and "asyncapi" in document:
        return list(_asyncapi(document))
    if isinstance(document, list) or (
        isinstance(document, dict) and document.get("type") in AVRO_KINDS - {"array"}
    ):
        return [_avro(document, name)]
    if not isinstance(document, dict):
        raise BadImport("It is neither a JSON Schema, nor an AsyncAPI document, nor an Avro schema.")
    named = document.get("x-event-type")
    version = document.get("x-event-version", "")
    return [Found(named if isinstance(named, str) else name, data_schema(document), str(version))]


def _avro(document: Any, name: str) -> Found:
    try:
        return Found(name, to_json_schema(document))
    except (BadAvro, KeyError, TypeError) as error:
        raise BadImport(f"This Avro schema cannot be read: {error}") from error


def _asyncapi(document: dict[str, Any]) -> Iterator[Found]:
    version = str(document["asyncapi"])
    if not version.startswith(("2.", "3.")):
        raise BadImport(f"AsyncAPI {version} is not read; 2 and 3 are.")
    for channel in (document.get("channels") or {}).values():
        channel = _resolved(channel, document)
        for message in _messages(channel, document):
            payload = message.get("payload")
            if isinstance(payload, dict) and "schemaFormat" in payload:
                message = {**message, "schemaFormat": payload["schemaFormat"]}
                payload = payload.get("schema")
            if payload is None:
                continue
            name = message.get("name") or message.get("title") or message.get("messageId")
            if not name:
                raise BadImport("A message of the document has no name, so its event type cannot be told.")
            described = str(message.get("summary") or message.get("description") or "")
            if "avro" in str(message.get("schemaFormat", "")):
                yield msgspec.structs.replace(_avro(payload, name), description=described)
                continue
            schema = inlined(payload, document)
            told = schema.get("properties", {}).get("event_version", {}) if isinstance(schema, dict) else {}
            yield Found(str(name), unwrapped(data_schema(schema)), str(told.get("const", "")), described)


def _messages(channel: dict[str, Any], document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """AsyncAPI 3 lists a channel's messages; 2 has them in its operations."""
    for message in (channel.get("messages") or {}).values():
        yield _resolved(message, document)
    for verb in ("publish", "subscribe"):
        if message := (channel.get(verb) or {}).get("message"):
            for one in message.get("oneOf", [message]):
                yield _resolved(one, document)


def _resolved(part: Any, document: dict[str, Any]) -> Any:
    for _ in range(MOST_DEPTH):
        if not isinstance(part, dict) or not isinstance(part.get("$ref"), str):
            return part
        part = _at(part["$ref"], document)
    raise BadImport("The document's references go round in a circle.")


def _at(reference: str, document: Any) -> Any:
    if not reference.startswith("#/"):
        raise BadImport(f"The reference {reference!r} leads out of the document. Bundle it first.")
    found = document
    for step in reference[2:].split("/"):
        try:
            found = found[step.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError) as error:
            raise BadImport(f"The reference {reference!r} leads to nothing in the document.") from error
    return found


def inlined(payload: Any, document: dict[str, Any]) -> Any:
    """A schema of a larger document, standing alone: what it refers to comes along under ``$defs``."""
    definitions: dict[str, Any] = {}
    names: dict[str, str] = {}

    def named(reference: str) -> str:
        if reference not in names:
            last = reference.rpartition("/")[2].replace("~1", "_").replace("~0", "~")
            name = last if last not in definitions else f"{last}_{len(definitions)}"
            names[reference] = name
            definitions[name] = {}
            definitions[name] = moved(_at(reference, document))
        return names[reference]

    def moved(part: Any) -> Any:
        if isinstance(part, list):
            return [moved(one) for one in part]
        if not isinstance(part, dict):
            return part
        made = {key: moved(value) for key, value in part.items() if key != "$ref"}
        reference = part.get("$ref")
        if isinstance(reference, str):
            made["$ref"] = f"#/$defs/{named(reference)}"
        elif reference is not None:  # a member that is called so
            made["$ref"] = moved(reference)
        return made

    made = moved(payload)
    if not definitions or not isinstance(made, dict):
        return made
    return unwrapped({**made, "$defs": {**made.get("$defs", {}), **definitions}})


def unwrapped(schema: Any) -> Any:
    """A schema that is only a reference to its own definitions, written out, and without those that nobody uses."""
    if not isinstance(schema, dict) or "$defs" not in schema:
        return schema
    definitions = dict(schema["$defs"])
    if schema.keys() <= {"$ref", "$defs", "$schema"} and "$ref" in schema:
        schema = {**definitions.get(schema["$ref"].removeprefix("#/$defs/"), {})}
    rest = {key: value for key, value in schema.items() if key != "$defs"}
    while True:
        text = json.dumps([rest, definitions])
        used = {name: one for name, one in definitions.items() if f'"#/$defs/{name}"' in text}
        if len(used) == len(definitions):
            return {**rest, "$defs": definitions} if definitions else rest
        definitions = used


def from_registry(url: str, username: str | None = None, password: str | None = None) -> list[Found]:
    """Every version of every subject of a registry. Raises BadImport."""
    registry = Registry(url, username, password)
    found: list[Found] = []
    try:
        for subject in registry.subjects():
            name = next((subject.removesuffix(end) for end in ENDINGS if subject.endswith(end)), subject)
            for number in registry.versions(subject):
                told = registry.version(Reference(subject, subject, number))
                if told.kind != "PROTOBUF":
                    others = {ref: used.text for ref, used in registry.dependencies(told).items()}
                    found += [
                        one if one.version else msgspec.structs.replace(one, version=str(number))
                        for one in read(told.text, name, others if told.kind == "JSON" else {})
                    ]
    except (RegistryError, UnknownSchema) as error:
        raise BadImport(f"The registry {registry.name} cannot be read: {error}") from error
    return found


class Planned(msgspec.Struct, frozen=True):
    """What importing would make of one schema."""

    found: Found
    # What it is called here, or would be.
    version: str
    # This very schema is here already.
    is_known: bool = False
    # Why it cannot be used; empty when it can.
    flaw: str = ""


def plan(found: list[Found]) -> list[Planned]:
    """What `keep` would do with each, in order."""
    names = {one.event_type for one in found}
    here: dict[str, dict[str, Any]] = {name: {} for name in names}
    for kept in SchemaVersion.objects.filter(event_type__name__in=names).select_related("event_type"):
        here[kept.event_type.name][kept.version] = kept.schema
    planned = []
    for one in found:
        versions = here[one.event_type]
        known = next((name for name, schema in versions.items() if schema == one.schema), None)
        if flaws := flaws_of(one.schema):
            planned.append(Planned(one, one.version, flaw=str(flaws[0])))
        elif known is not None:
            planned.append(Planned(one, known, is_known=True))
        else:
            name = one.version if one.version and one.version not in versions else str(len(versions) + 1)
            versions[name] = one.schema
            planned.append(Planned(one, name))
    return planned


@transaction.atomic
def keep(found: list[Found]) -> list[SchemaVersion]:
    """Keep what was found as drafts, for people to look at and publish; what is there already is left alone.

    Raises BadImport, and keeps nothing, when one of them cannot be used.
    """
    made = []
    for one in plan(found):
        if one.flaw:
            raise BadImport(f"The schema of {one.found.event_type} cannot be used. {one.flaw}")
        if one.is_known:
            continue
        event_type, _ = EventType.objects.get_or_create(
            name=one.found.event_type, defaults={"description": one.found.description}
        )
        made.append(
            SchemaVersion.objects.create(
                event_type=event_type,
                version=one.version,
                status=SchemaStatus.DRAFT,
                schema=one.found.schema,
                note=one.found.description or "Imported.",
            )
        )
    return made
