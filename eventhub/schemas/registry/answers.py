"""What each address of the registry answers."""

from typing import Any

import msgspec

from eventhub.schemas.compatibility import Level
from eventhub.schemas.models import (
    EventType,
    SchemaContent,
    SchemaSettings,
    SchemaStatus,
    SchemaVersion,
)
from eventhub.schemas.registry import references, store
from eventhub.schemas.registry.errors import RegistryError, schema_not_found, subject_not_found
from eventhub.schemas.registry.references import References
from eventhub.schemas.registry.subjects import claim_subject, data_schema, find_subject, subject_of


class Asked(msgspec.Struct, frozen=True):
    """A request, taken apart."""

    parts: dict[str, str]
    query: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises RegistryError."""
        try:
            sent = msgspec.json.decode(self.raw)
        except msgspec.DecodeError as error:
            raise RegistryError(42201, f"The request's body is not JSON: {error}") from error
        if not isinstance(sent, dict):
            raise RegistryError(42201, "The request's body must be a JSON object.")
        return sent

    def schema(self) -> "Sent":
        """The schema that was sent. Raises RegistryError."""
        body = self.body
        used = references.read(body.get("references"))
        parsed = store.parse(
            body.get("schema"), body.get("schemaType"), lambda schema: references.whole(schema, used)
        )
        return Sent(body.get("schema", ""), parsed, used)

    def is_set(self, name: str) -> bool:
        """Whether the query says ``name=true``."""
        return self.query.get(name, "").lower() == "true"


class Sent(msgspec.Struct, frozen=True):
    """A schema that a client sent: its text, what it says with all that it refers to, and what that is."""

    text: str
    schema: Any
    references: References


def _described(event_type: EventType, version: SchemaVersion) -> dict[str, Any]:
    content = store.registered(version)
    return {
        "subject": subject_of(event_type),
        "version": version.number,
        "id": content.pk,
        "schemaType": "JSON",
        "schema": content.text,
        **_references(content),
    }


def _references(content: SchemaContent) -> dict[str, Any]:
    return {"references": content.references} if content.references else {}


def root(asked: Asked) -> Any:
    """Clients ask whether anybody is there."""
    return {}


def subjects(asked: Asked) -> Any:
    """The names of all subjects that have a published version."""
    prefix = asked.query.get("subjectPrefix", "")
    types = EventType.objects.filter(
        versions__status__in=[SchemaStatus.ACTIVE, SchemaStatus.RETIRED]
    ).distinct()
    names = sorted(subject_of(event_type) for event_type in types)
    return [name for name in names if name.startswith(prefix)]


def versions(asked: Asked) -> Any:
    """The numbers of a subject's versions."""
    return [version.number for version in store.versions_of(asked.parts["subject"])[1]]


def register(asked: Asked) -> Any:
    """Register a schema, unless it breaks the subject's level."""
    sent = asked.schema()
    made = store.register(asked.parts["subject"], sent.text, sent.schema, sent.references)
    content = store.registered(made)
    told = {"id": content.pk, "version": made.number, "schemaType": "JSON", "schema": sent.text}
    return told | _references(content)


def look_up(asked: Asked) -> Any:
    """Under which version a subject holds a schema."""
    sent = asked.schema()
    return _described(*store.look_up(asked.parts["subject"], sent.text, sent.references))


def version(asked: Asked) -> Any:
    """One version of a subject."""
    return _described(*store.version_of(asked.parts["subject"], asked.parts["number"]))


def version_text(asked: Asked) -> Any:
    """The schema of one version alone."""
    found = store.version_of(asked.parts["subject"], asked.parts["number"])[1]
    return msgspec.Raw(store.registered(found).text.encode())


def referenced_by(asked: Asked) -> Any:
    """The ids of the schemas that refer to a version."""
    _, found = store.version_of(asked.parts["subject"], asked.parts["number"])
    return [content.pk for content in references.users_of(found)]


def retire_version(asked: Asked) -> Any:
    """Retire one version: it is kept, for old events were written by it, and checked no longer."""
    _, found = store.version_of(asked.parts["subject"], asked.parts["number"])
    _retire([found])
    return found.number


def retire_subject(asked: Asked) -> Any:
    """Retire every version of a subject."""
    _, found = store.versions_of(asked.parts["subject"])
    _retire(found)
    return [one.number for one in found]


def _retire(found: list[SchemaVersion]) -> None:
    for one in found:
        if users := references.users_of(one):
            ids = ", ".join(str(content.pk) for content in users)
            raise RegistryError(
                42206, f"One or more references exist to the schema: the schemas with id {ids}."
            )
    for one in found:
        one.status = SchemaStatus.RETIRED
        one.save(update_fields=["status", "changed_at"])


def types(asked: Asked) -> Any:
    """The kinds of schemas that are kept."""
    return ["JSON"]


def schema_by_id(asked: Asked) -> Any:
    """A schema by the id that stands in messages."""
    content = _content(asked)
    return {"schemaType": "JSON", "schema": content.text, **_references(content)}


def schema_text_by_id(asked: Asked) -> Any:
    """The same, alone."""
    return msgspec.Raw(_content(asked).text.encode())


def uses(asked: Asked) -> Any:
    """Which versions of which subjects hold a schema."""
    held = _content(asked).versions.exclude(status=SchemaStatus.DRAFT).select_related("event_type")
    return [{"subject": subject_of(one.event_type), "version": one.number} for one in held]


def subjects_by_id(asked: Asked) -> Any:
    """Which subjects hold a schema."""
    return sorted({use["subject"] for use in uses(asked)})


def _content(asked: Asked) -> SchemaContent:
    text = asked.parts["schema_id"]
    found = SchemaContent.objects.filter(pk=int(text)).first() if text.isdigit() and len(text) < 18 else None
    if found is None:
        raise schema_not_found()
    return found


def check(asked: Asked) -> Any:
    """Whether a schema may follow a version of a subject."""
    schema = asked.schema().schema
    event_type, found = store.version_of(asked.parts["subject"], asked.parts["number"])
    return _verdict(asked, event_type, schema, [found])


def check_all(asked: Asked) -> Any:
    """Whether a schema may follow what a subject holds, by the subject's level."""
    schema = asked.schema().schema
    event_type = find_subject(asked.parts["subject"])
    held = store.published(event_type) if event_type else []
    return _verdict(asked, event_type, schema, [one for one in held if one.status == SchemaStatus.ACTIVE])


def _verdict(asked: Asked, event_type: EventType | None, schema: Any, against: list[SchemaVersion]) -> Any:
    verdict = store.judged(event_type, data_schema(schema), against, "the new schema")
    answer: dict[str, Any] = {"is_compatible": verdict.is_compatible}
    if asked.is_set("verbose"):
        answer["messages"] = [store.message(one) for one in verdict.breaches]
    return answer


def config(asked: Asked) -> Any:
    """The level that holds where a subject says nothing."""
    return {"compatibilityLevel": SchemaSettings.load().compatibility}


def set_config(asked: Asked) -> Any:
    """Set that level."""
    level = _level(asked)
    SchemaSettings.objects.update_or_create(pk=1, defaults={"compatibility": level})
    return {"compatibility": level}


def subject_config(asked: Asked) -> Any:
    """A subject's own level."""
    event_type = _known(asked)
    if not event_type.compatibility and not asked.is_set("defaultToGlobal"):
        raise RegistryError(
            40408, f"Subject '{asked.parts['subject']}' does not have subject-level compatibility configured"
        )
    return {"compatibilityLevel": store.level_of(event_type)}


def set_subject_config(asked: Asked) -> Any:
    """Set it."""
    level = _level(asked)
    event_type = find_subject(asked.parts["subject"]) or claim_subject(asked.parts["subject"], {})
    EventType.objects.filter(pk=event_type.pk).update(compatibility=level)
    return {"compatibility": level}


def delete_subject_config(asked: Asked) -> Any:
    """Forget it: the default holds again."""
    event_type = _known(asked)
    level = store.level_of(event_type)
    EventType.objects.filter(pk=event_type.pk).update(compatibility="")
    return {"compatibilityLevel": level}


def _known(asked: Asked) -> EventType:
    event_type = find_subject(asked.parts["subject"])
    if event_type is None:
        raise subject_not_found(asked.parts["subject"])
    return event_type


def _level(asked: Asked) -> str:
    level = asked.body.get("compatibility")
    if level not in list(Level):
        raise RegistryError(42203, f"Invalid compatibility level. Valid values are: {', '.join(Level)}.")
    return str(level)


def mode(asked: Asked) -> Any:
    """Registering is always allowed to those who may."""
    return {"mode": "READWRITE"}


# What needs more than reading. To check and to look up changes nothing.
CHANGING = frozenset(
    (register, retire_version, retire_subject, set_config, set_subject_config, delete_subject_config)
)
