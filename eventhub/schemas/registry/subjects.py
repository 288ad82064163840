"""Which event type a subject of the registry is, and what of a registered schema an event's data is checked against."""

from typing import Any

from eventhub.schemas.models import EventType

# What clients put behind a topic's name.
ENDINGS = ("-value", "-key")
ENVELOPE = {"event_type", "data"}


def find_subject(subject: str) -> EventType | None:
    """The event type whose schemas are the subject's."""
    found = EventType.objects.filter(subject=subject).first()
    return found or EventType.objects.filter(subject="", name=subject).first()


def subject_of(event_type: EventType) -> str:
    """The name under which the registry has an event type."""
    return event_type.subject or event_type.name


def claim_subject(subject: str, schema: Any) -> EventType:
    """The event type of a subject, made where there is none.

    It is the one that the schema names as ``x-event-type``; else the subject without ``-value``.
    """
    if known := find_subject(subject):
        return known
    named = schema.get("x-event-type") if isinstance(schema, dict) else None
    name = named if isinstance(named, str) and named else subject
    if not named:
        name = (
            next((subject.removesuffix(end) for end in ENDINGS if subject.endswith(end)), subject) or subject
        )
    event_type, _ = EventType.objects.get_or_create(name=name)
    if event_type.name != subject:
        if event_type.subject and event_type.subject != subject:  # another subject has this type already
            event_type, _ = EventType.objects.get_or_create(name=subject)
        else:
            event_type.subject = subject
            event_type.save(update_fields=["subject"])
    return event_type


def data_schema(schema: Any) -> Any:
    """The part of a registered schema that is about `data`: all of it, unless it describes a whole envelope."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not properties.keys() >= ENVELOPE:
        return schema
    inner = properties["data"]
    if not isinstance(inner, dict):
        return {"allOf": [inner]}
    shared = {key: schema[key] for key in ("$schema", "$defs", "definitions") if key in schema}
    return {**shared, **inner}
