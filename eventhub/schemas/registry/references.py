"""References to schemas of other subjects: ``{"name", "subject", "version"}``, as clients send and expect them."""

from typing import Any

import msgspec

from eventhub.schemas.bundling import BadBundle, bundled
from eventhub.schemas.models import SchemaContent, SchemaStatus, SchemaVersion
from eventhub.schemas.registry import store
from eventhub.schemas.registry.errors import RegistryError
from eventhub.schemas.registry.subjects import subject_of

References = list[dict[str, Any]]


def read(written: Any) -> References:
    """The references of a request. Raises RegistryError for what are none."""
    if not written:
        return []
    if not isinstance(written, list) or not all(_is_reference(one) for one in written):
        raise RegistryError(42201, 'References are a list of {"name": …, "subject": …, "version": a number}.')
    return [{name: one[name] for name in ("name", "subject", "version")} for one in written]


def whole(schema: Any, references: References) -> Any:
    """A schema with everything that it refers to, directly and through others. Raises RegistryError."""
    try:
        return bundled(schema, _schemas(references))
    except BadBundle as error:
        raise RegistryError(42201, str(error)) from error


def users_of(version: SchemaVersion) -> list[SchemaContent]:
    """The registered schemas that refer to a version."""
    key = {"subject": subject_of(version.event_type), "version": version.number}
    held = SchemaContent.objects.filter(references__contains=[key])
    return list(
        held.filter(versions__status__in=[SchemaStatus.ACTIVE, SchemaStatus.RETIRED])
        .distinct()
        .order_by("pk")
    )


def _is_reference(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and isinstance(one.get("subject"), str)
        and isinstance(one.get("version"), int)
    )


def _schemas(references: References) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = list(references)
    while waiting:
        one = waiting.pop(0)
        if one["name"] in found:
            continue
        try:
            _, version = store.version_of(one["subject"], str(one["version"]))
        except RegistryError as error:
            raise RegistryError(
                42201,
                f"The reference {one['name']!r} cannot be resolved: no version {one['version']} of the subject "
                f"{one['subject']!r} is registered here. Register that first.",
            ) from error
        content = store.registered(version)
        found[one["name"]] = msgspec.json.decode(content.text)
        waiting += content.references
    return found
