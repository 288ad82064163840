"""Importing many schemas at once: what was given, and what would become of each, before anything is kept."""

from collections.abc import Sequence

import msgspec
from django.core.files.uploadedfile import UploadedFile

from eventhub.schemas import importing
from eventhub.schemas.importing import BadImport, Found, Planned
from eventhub.schemas.models import EventType, SchemaStatus
from eventhub.schemas.registry.store import judged, published

ENDINGS = (".avsc", ".json", ".schema")
LARGEST_FILE_BYTES = 5 << 20
MOST_BREACHES = 3


class Candidate(msgspec.Struct, frozen=True):
    """One schema that was found, as the page shows it."""

    planned: Planned
    # Nobody has seen or declared the type yet.
    is_new_type: bool
    # The type's level, and how this schema would break it against what is active; empty when it would not.
    level: str = ""
    breaches: Sequence[str] = ()
    more_breaches: int = 0


def gather(
    text: str, name: str, files: "Sequence[UploadedFile[bytes]]", registry: str, user: str, password: str
) -> list[Found]:
    """Every schema in what was pasted, uploaded and found at a registry's address. Raises BadImport."""
    found: list[Found] = []
    if text.strip():
        found += _named(importing.read(text, name), "what was pasted")
    for file in files:
        found += _of_file(file)
    if registry:
        found += importing.from_registry(registry, user or None, password or None)
    if not found:
        raise BadImport("Nothing was given. Paste a schema, choose files, or write a registry's address.")
    return found


def candidates(found: list[Found]) -> list[Candidate]:
    """What would become of each, and what it would break."""
    types = {one.name: one for one in EventType.objects.filter(name__in={one.event_type for one in found})}
    return [_candidate(planned, types.get(planned.found.event_type)) for planned in importing.plan(found)]


def _candidate(planned: Planned, event_type: EventType | None) -> Candidate:
    if event_type is None or planned.flaw or planned.is_known:
        return Candidate(planned, event_type is None)
    active = [one for one in published(event_type) if one.status == SchemaStatus.ACTIVE]
    if not active:
        return Candidate(planned, is_new_type=False)
    verdict = judged(event_type, planned.found.schema, active, "the imported one")
    words = [f"{one.difference.path}: {one.difference.words}" for one in verdict.breaches]
    return Candidate(
        planned, False, str(verdict.level), words[:MOST_BREACHES], max(0, len(words) - MOST_BREACHES)
    )


def _of_file(file: "UploadedFile[bytes]") -> list[Found]:
    if (file.size or 0) > LARGEST_FILE_BYTES:
        raise BadImport(f"{file.name} is larger than {LARGEST_FILE_BYTES >> 20} MB.")
    try:
        text = file.read().decode()
    except UnicodeDecodeError as error:
        raise BadImport(f"{file.name} is not a text in UTF-8.") from error
    name = file.name or ""
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    try:
        return _named(importing.read(text, name), file.name or "a file")
    except BadImport as error:
        raise BadImport(f"{file.name}: {error}") from error


def _named(found: list[Found], where: str) -> list[Found]:
    if any(not one.event_type or "\x00" in one.event_type for one in found):
        raise BadImport(f"The event type of {where} cannot be told. Write it beside the schema.")
    return found
