"""Registering, finding and judging schemas by subject, as clients of Confluent's registry expect it."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from django.db import transaction

from eventhub.schemas.checking import flaws_of
from eventhub.schemas.compatibility import Breach, Level, Verdict, judge
from eventhub.schemas.models import EventType, SchemaContent, SchemaSettings, SchemaStatus, SchemaVersion
from eventhub.schemas.registry.errors import (
    RegistryError,
    schema_not_found,
    subject_not_found,
    version_not_found,
)
from eventhub.schemas.registry.subjects import claim_subject, data_schema, find_subject

Versions = list[SchemaVersion]


def parse(text: Any, kind: Any, make_whole: Callable[[Any], Any]) -> Any:
    """The schema that a client sent, with what it refers to. Raises RegistryError for what is none."""
    if kind not in (None, "JSON"):
        raise RegistryError(
            42201, f"EventHub's registry keeps JSON Schemas; {kind} is not one. Send schemaType JSON."
        )
    if not isinstance(text, str):
        raise RegistryError(42201, "The schema must be sent as a text.")
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        hint = "" if kind else " Say schemaType JSON if it is a JSON Schema."
        raise RegistryError(42201, f"The schema is not valid JSON: {error}.{hint}") from error
    schema = make_whole(schema)
    if flaws := flaws_of(schema):
        raise RegistryError(42201, f"This is not a usable JSON Schema. {flaws[0]}")
    return schema


def content_of(text: str, references: Sequence[dict[str, Any]] = ()) -> SchemaContent:
    """The row of a schema's text: the same text, with other spaces or none, and the same references, is the same."""
    canonical = msgspec.json.encode(msgspec.json.decode(text))
    if references:
        canonical += msgspec.json.encode(references)
    digest = hashlib.sha256(canonical).hexdigest()
    content, _ = SchemaContent.objects.get_or_create(
        digest=digest, defaults={"text": text, "references": list(references)}
    )
    return content


def versions_of(subject: str) -> tuple[EventType, Versions]:
    """A subject's versions that were published, the oldest first. Raises RegistryError when there are none."""
    event_type = find_subject(subject)
    found = published(event_type) if event_type else []
    if event_type is None or not found:
        raise subject_not_found(subject)
    return event_type, found


def published(event_type: EventType) -> Versions:
    """The versions that are not drafts, the oldest first."""
    versions = event_type.versions.exclude(status=SchemaStatus.DRAFT).order_by("number")
    return list(versions.select_related("content"))


def version_of(subject: str, number: str) -> tuple[EventType, SchemaVersion]:
    """One version, by its number or as ``latest``. Raises RegistryError."""
    event_type, versions = versions_of(subject)
    if number in ("latest", "-1"):
        return event_type, versions[-1]
    if not number.isdigit() or not 0 < int(number) < 2**31:
        raise RegistryError(42202, f"The specified version '{number}' is not a valid version id.")
    for version in versions:
        if version.number == int(number):
            return event_type, version
    raise version_not_found(number)


def registered(version: SchemaVersion) -> SchemaContent:
    """What a version was registered as; one that was written in the admin is given its id now."""
    if version.content is None:
        version.content = content_of(msgspec.json.encode(version.schema).decode())
        SchemaVersion.objects.filter(pk=version.pk).update(content=version.content)
    return version.content


def look_up(
    subject: str, text: str, references: Sequence[dict[str, Any]] = ()
) -> tuple[EventType, SchemaVersion]:
    """The version of a subject that holds this schema. Raises RegistryError."""
    event_type, versions = versions_of(subject)
    content = content_of(text, references)
    for version in reversed(versions):
        if registered(version).pk == content.pk:
            return event_type, version
    raise schema_not_found()


def level_of(event_type: EventType | None) -> Level:
    """What a new version of the type must keep to."""
    own = event_type.compatibility if event_type else ""
    return Level(own or SchemaSettings.load().compatibility)


def judged(event_type: EventType | None, schema: Any, against: Sequence[SchemaVersion], name: str) -> Verdict:
    """A schema of data, held against versions by the type's level."""
    earlier = [(version.version, version.schema) for version in against]
    return judge(level_of(event_type), schema, earlier, name=name)


@transaction.atomic
def register(
    subject: str, text: str, schema: Any, references: Sequence[dict[str, Any]] = ()
) -> SchemaVersion:
    """A new active version of a subject, or the one that holds this schema. Raises RegistryError."""
    event_type = claim_subject(subject, schema)
    EventType.objects.select_for_update().get(pk=event_type.pk)  # two who register at once get two numbers
    content = content_of(text, references)
    versions = published(event_type)
    for version in reversed(versions):
        if registered(version).pk == content.pk:
            if version.status == SchemaStatus.RETIRED:
                version.status = SchemaStatus.ACTIVE
                version.save(update_fields=["status", "changed_at"])
            return version
    own = data_schema(schema)
    active = [version for version in versions if version.status == SchemaStatus.ACTIVE]
    verdict = judged(event_type, own, active, "the new schema")
    if not verdict.is_compatible:
        raise RegistryError(
            409, f"The schema is incompatible with an earlier one ({verdict.level}). {in_words(verdict)}"
        )
    made = SchemaVersion.objects.create(
        event_type=event_type,
        version=_name(event_type, schema),
        status=SchemaStatus.ACTIVE,
        schema=own,
        content=content,
        note=f"Registered under {subject}.",
    )
    if not event_type.default_version:
        event_type.default_version = made.version
        event_type.save(update_fields=["default_version"])
    return made


def in_words(verdict: Verdict) -> str:
    """Why it was refused, a sentence a place."""
    return " ".join(message(breach) for breach in verdict.breaches[:20])


def message(breach: Breach) -> str:
    """One breach as a line."""
    one = breach.difference
    return f"{{{one.kind.upper()} at {one.path} ({breach.direction}, version {breach.version}): {one.words}}}"


def _name(event_type: EventType, schema: Any) -> str:
    """What events call the version: what the schema says as ``x-event-version``, else the next free number."""
    taken = set(event_type.versions.values_list("version", flat=True))
    named = schema.get("x-event-version") if isinstance(schema, dict) else None
    if isinstance(named, str | int) and (text := str(named)[:50]) not in taken:
        return text
    number = max((int(one) for one in taken if one.isdigit() and len(one) < 9), default=0) + 1
    return str(number)
