import os
import re
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from eventhub.schemas import importing
from eventhub.schemas.bundling import BadBundle, bundled
from eventhub.schemas.checking import flaws_of
from eventhub.schemas.compatibility import Level, judge
from eventhub.schemas.junit import Case, report
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from eventhub.schemas.registry.store import level_of, published
from eventhub.schemas.registry.subjects import data_schema, find_subject
from eventhub.schemas.textual import changes, text_of

# A reference to a file beside the schema's.
_REFERENCE = re.compile(r'"\$ref"\s*:\s*"([^"#:/\\]+)')


class Command(BaseCommand):
    """Check schemas before they are published, as a step of a CI pipeline."""

    help = (
        "Check schema files against what is registered here (or against another file). Exit code 0: all may follow; "
        "1: at least one may not, with every place named; 2: a file could not be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`check FILE… [--type NAME] [--against FILE] [--level LEVEL] [--junit FILE] [--no-diff]`."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        check = verbs.add_parser("check", help="whether a schema may follow the versions before it")
        check.add_argument(
            "files", nargs="+", type=Path, help="JSON Schemas; order.placed.json is of order.placed"
        )
        check.add_argument("--type", help="the event type or subject, where the file's name does not say it")
        check.add_argument(
            "--against", type=Path, help="hold it against this file instead of what is registered"
        )
        check.add_argument("--level", choices=list(Level), help="instead of the type's own level")
        check.add_argument("--junit", type=Path, help="also write a JUnit report here")
        check.add_argument("--no-diff", action="store_true", help="only the verdicts")

        taken = verbs.add_parser("import", help="keep schemas from elsewhere as drafts")
        taken.add_argument("files", nargs="*", type=Path, help="JSON Schema, AsyncAPI 2 or 3, Avro (.avsc)")
        taken.add_argument("--registry", help="the address of a registry that speaks Confluent's API")
        taken.add_argument("--user", help="for the registry; its password stands in REGISTRY_PASSWORD")
        export = verbs.add_parser("export", help="write the active schemas of every event type")
        export.add_argument("folder", type=Path, help="one file a type: order.placed.json")

    def handle(self, **options: Any) -> None:
        """Do what the verb says."""
        {"check": self._check_all, "import": self._import, "export": self._export}[options["verb"]](options)

    def _import(self, options: dict[str, Any]) -> None:
        try:
            found = [
                one
                for path in options["files"]
                for one in importing.read(_text(path), _name(path), _beside(path))
            ]
            if options["registry"]:
                password = os.environ.get("REGISTRY_PASSWORD")
                found += importing.from_registry(options["registry"], options["user"], password)
            kept = importing.keep(found)
        except importing.BadImport as error:
            raise CommandError(str(error), returncode=2) from error
        for version in kept:
            self.stdout.write(f"{version.event_type} v{version.version} is a draft now")
        self.stdout.write(f"{len(kept)} of {len(found)} schemas are new.")

    def _export(self, options: dict[str, Any]) -> None:
        options["folder"].mkdir(parents=True, exist_ok=True)
        latest = {
            v.event_type.name: v
            for v in SchemaVersion.objects.filter(status=SchemaStatus.ACTIVE)
            .select_related("event_type")
            .order_by("number")
        }
        for name, version in latest.items():
            path = options["folder"] / f"{name.replace('/', '_')}.json"
            told = {"x-event-type": name, "x-event-version": version.version}
            path.write_text(text_of({**told, **version.schema}) + "\n")
        self.stdout.write(f"{len(latest)} schemas are in {options['folder']}.")

    def _check_all(self, options: dict[str, Any]) -> None:
        if options["type"] and len(options["files"]) > 1:
            raise CommandError(
                "--type is of one file: give one, or name the files after their types.", returncode=2
            )
        cases = [self._check(path, options) for path in options["files"]]
        if options["junit"]:
            options["junit"].write_text(report(cases))
        if any(case.failures for case in cases):
            sys.exit(1)

    def _check(self, path: Path, options: dict[str, Any]) -> Case:
        schema = _whole(path)
        name = options["type"] or _name(path)
        if flaws := flaws_of(schema):
            return self._told(name, flaws, "is no usable JSON Schema")
        event_type = find_subject(name) or EventType.objects.filter(name=name).first()
        level = Level(options["level"]) if options["level"] else level_of(event_type)
        schema = data_schema(schema)
        earlier = _earlier(event_type, options["against"])
        if not earlier:
            self.stdout.write(f"✓ {name}: the first version, nothing to break")
            return Case(name, [])
        verdict = judge(level, schema, earlier, name="the new schema")
        if not options["no_diff"]:
            for line in changes(earlier[-1][1], schema, f"version {earlier[-1][0]}", str(path)):
                self.stdout.write(f"    {line}")
        failures = [
            f"{one.difference.path}: {one.difference.words} "
            f"({one.difference.kind}, {one.direction}, version {one.version})"
            for one in verdict.breaches
        ]
        return self._told(name, failures, f"breaks {level}", f"may follow version {earlier[-1][0]} ({level})")

    def _told(self, name: str, failures: list[str], broken: str, fine: str = "") -> Case:
        if failures:
            self.stdout.write(f"✗ {name} {broken}:")
            for line in failures:
                self.stdout.write(f"  {line}")
        else:
            self.stdout.write(f"✓ {name} {fine}")
        return Case(name, failures)


def _earlier(event_type: EventType | None, against: Path | None) -> list[tuple[str, Any]]:
    if against is not None:
        return [(str(against), data_schema(_whole(against)))]
    versions = published(event_type) if event_type else []
    return [(one.version, one.schema) for one in versions if one.status == SchemaStatus.ACTIVE]


def _name(path: Path) -> str:
    return path.name.removesuffix(".avsc").removesuffix(".json").removesuffix(".schema")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}.", returncode=2) from error


def _beside(path: Path) -> dict[str, str]:
    """The JSON files in the same folder that the schema of a file refers to, and those that they refer to, by name."""
    found: dict[str, str] = {}
    waiting = [_text(path)]
    while waiting:
        for name in set(_REFERENCE.findall(waiting.pop())) - found.keys():
            other = path.parent / name
            if other.resolve().parent == path.resolve().parent and other.is_file():
                found[name] = _text(other)
                waiting.append(found[name])
    return found


def _whole(path: Path) -> Any:
    """The schema of a file, with what it refers to of the files beside it."""
    schema = _read(path)
    try:
        return bundled(schema, {name: _read(path.parent / name) for name in _beside(path)})
    except BadBundle as error:
        raise CommandError(f"{path}: {error}", returncode=2) from error


def _read(path: Path) -> Any:
    try:
        return msgspec.json.decode(_text(path))
    except msgspec.DecodeError as error:
        raise CommandError(f"{path} is not JSON: {error}.", returncode=2) from error
