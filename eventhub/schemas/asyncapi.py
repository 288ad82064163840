"""Event types as an AsyncAPI 3.0 document."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from eventhub.schemas.models import EventType, SchemaVersion

REQUIRED = ("event_id", "event_type", "timestamp", "data")
ENVELOPE_PROPERTIES: dict[str, Any] = {
    "event_id": {"type": "string"},
    "event_type": {"type": "string"},
    "event_version": {"type": "string"},
    "timestamp": {"type": "string", "format": "date-time"},
    "metadata": {"type": "object"},
}


class Published(msgspec.Struct, frozen=True):
    """An event type with its active versions and an example of its data."""

    event_type: EventType
    versions: Sequence[SchemaVersion]
    example: Any = None


def document(types: Sequence[Published], *, title: str = "EventHub", version: str = "1") -> dict[str, Any]:
    """The document: a channel an event type, a message an active version, data checked by its schema."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for one in types:
        channel = _key(one.event_type.name)
        names = []
        for schema_version in one.versions:
            name = f"{channel}_v{_key(schema_version.version)}"
            schemas[name] = relocated(schema_version.schema, f"#/components/schemas/{name}")
            messages[name] = _message(one, schema_version, name)
            names.append(name)
        if not names:
            messages[channel] = _message(one, None, "")
            names = [channel]
        channels[channel] = {
            "address": one.event_type.name,
            **_described(one.event_type),
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        }
        operations[f"receive_{channel}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{channel}"},
            "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _message(one: Published, version: SchemaVersion | None, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = {**ENVELOPE_PROPERTIES, "event_type": {"const": one.event_type.name}}
    properties["data"] = {"$ref": f"#/components/schemas/{name}"} if name else {}
    if version:
        properties["event_version"] = {"const": version.version}
    made: dict[str, Any] = {
        "name": one.event_type.name,
        "title": f"{one.event_type.name} v{version.version}" if version else one.event_type.name,
        "contentType": "application/json",
        "payload": {"type": "object", "required": [*REQUIRED], "properties": properties},
    }
    if one.event_type.lifecycle == "deprecated":
        made["tags"] = [{"name": "deprecated"}]
    if version and version.note:
        made["summary"] = version.note
    if one.example is not None:
        payload = {"event_type": one.event_type.name, "data": one.example}
        made["examples"] = [{"name": "seen", "payload": payload}]
    return made


def relocated(schema: Any, place: str) -> Any:
    """A schema whose references into itself lead to `place`, where it stands in a larger document."""
    if isinstance(schema, list):
        return [relocated(part, place) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: relocated(value, place) for key, value in schema.items() if key not in ("$schema", "$id")}
    reference = schema.get("$ref")
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
        made["$ref"] = place + reference[1:]
    return made


def _described(event_type: EventType) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if event_type.description:
        made["description"] = event_type.description
    if event_type.owner:
        made["x-owner"] = event_type.owner
    if event_type.docs_url:
        made["externalDocs"] = {"url": event_type.docs_url}
    return made


def _key(name: str) -> str:
    """A name as the keys of an AsyncAPI document may be."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "_"
