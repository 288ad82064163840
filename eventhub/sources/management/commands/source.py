import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from eventhub.access import audit
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.config import describe, example
from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.failures import explain
from eventhub.brokers.models import Role, Source
from eventhub.brokers.trying import peek, try_connection
from eventhub.pages.formats import duration, rate
from eventhub.sources import saving
from eventhub.sources.drafts import Given, Wrong, draft
from eventhub.sources.preview import readings
from monitoring.snapshot import sources_now

JSON = "JSON, @FILE, or - for standard input"


class Command(BaseCommand):
    """List, add, test and preview sources."""

    help = (
        "List, add, test and preview sources. `kinds` says what each broker needs. Secrets belong into --config, best "
        "from a file or standard input: they are encrypted and not shown again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`list`, `kinds [KIND]`, `add NAME --kind …`, `test NAME`, `preview NAME`."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="how each source stands")
        kinds = verbs.add_parser("kinds", help="what each broker needs")
        kinds.add_argument("kind", nargs="?", choices=list(CONFIGS))
        add = verbs.add_parser("add", help="test the connection and save")
        add.add_argument("name")
        add.add_argument("--kind", choices=list(CONFIGS), required=True)
        add.add_argument("--role", choices=Role.values, default=Role.EVENTS)
        add.add_argument("--config", default="{}", help=JSON)
        add.add_argument("--mapping", default="{}", help=JSON)
        add.add_argument("--disabled", action="store_true", help="no worker runs it")
        add.add_argument("--untested", action="store_true", help="save it although it does not connect")
        test = verbs.add_parser("test", help="ask the broker, read nothing")
        test.add_argument("name")
        preview = verbs.add_parser("preview", help="the newest messages as they would be read")
        preview.add_argument("name")
        preview.add_argument("--count", type=int, default=10)
        preview.add_argument("--mapping", help=f"instead of its own: {JSON}")
        preview.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        match options["verb"]:
            case "list":
                self._list()
            case "kinds":
                self._kinds([options["kind"]] if options["kind"] else list(CONFIGS))
            case "add":
                self._add(options)
            case "test":
                self._test(_find(options["name"]))
            case "preview":
                self._preview(_find(options["name"]), options)

    def _list(self) -> None:
        for one in sources_now(timezone.now()):
            waits = "" if one.lag_s is None else f"  behind {duration(one.lag_s)}"
            error = f"  {one.last_error.splitlines()[0]}" if one.last_error else ""
            self.stdout.write(
                f"{one.name:24} {one.kind:18} {one.state:12} {rate(one.per_s):>10}{waits}{error}"
            )

    def _kinds(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.stdout.write(kind)
            for name, meaning, needed in describe(kind):
                self.stdout.write(f"  {name}{' (needed)' if needed else ''}: {meaning}")
            self.stdout.write(f"  for example: {example(kind)}")

    def _add(self, options: dict[str, Any]) -> None:
        try:
            source = draft(
                Given(
                    name=options["name"],
                    kind=options["kind"],
                    role=options["role"],
                    enabled=not options["disabled"],
                    config=_object(options["config"], "--config"),
                    mapping=_object(options["mapping"], "--mapping"),
                )
            )
        except Wrong as wrong:
            raise CommandError(
                "\n".join(f"{field}: {text}" for field, text in wrong.errors.items())
            ) from wrong
        if not options["untested"] and saving.wants_a_test(None, source):
            report = try_connection(source)
            if not report.ok:
                raise CommandError(
                    f"Not saved: {report.problem}. {report.text}\n{report.advice}\nWith --untested it is saved."
                )
            self.stdout.write(report.text)
        saving.save(source, None, audit.SYSTEM)
        self.stdout.write(f"{source.name} is saved.")

    def _test(self, source: Source) -> None:
        report = try_connection(source)
        if not report.ok:
            raise CommandError(f"{report.problem}: {report.text}\n{report.advice}")
        self.stdout.write("\n".join([report.text, *report.notes]))

    def _preview(self, source: Source, options: dict[str, Any]) -> None:
        if options["mapping"] is not None:
            source.mapping = _object(options["mapping"], "--mapping")
        peeked = peek(source, max(1, options["count"]))
        if failure := peeked.failure:
            raise CommandError(f"{failure.problem}: {failure.text}\n{failure.advice}")
        try:
            found = readings(source, peeked.messages)
        except BrokerError as error:
            raise CommandError(explain(error).text) from error
        for one in found:
            if options["json"]:
                about = {
                    "place": one.place,
                    "verdict": one.verdict,
                    "reason": one.reason,
                    "event": one.envelope,
                }
                self.stdout.write(json.dumps(about, ensure_ascii=False))
            else:
                read_as = f"{one.event.event_type} {one.event.event_id}" if one.event else one.reason
                self.stdout.write(f"{one.place:40} {one.verdict:7} {read_as}")
        if not found:
            self.stderr.write("There is no message there yet.")


def _find(name: str) -> Source:
    found = Source.objects.filter(name=name, kind__in=CONFIGS).first()
    if found is None:
        names = ", ".join(Source.objects.filter(kind__in=CONFIGS).values_list("name", flat=True))
        raise CommandError(f"There is no source {name!r}. There are: {names or 'none'}.")
    return found


def _object(text: str, option: str) -> dict[str, Any]:
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except OSError as error:
            raise CommandError(f"{option}: {error}") from error
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CommandError(f"{option} should be a JSON object: {error}.") from error
