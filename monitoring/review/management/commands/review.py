"""The flow review for people at a terminal and for pipelines."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from monitoring.review import reading, reporting, running
from monitoring.review.models import Severity, State

FOUND = 1


class Command(BaseCommand):
    """Prints scores and findings; the exit code says whether any finding is open that is bad enough."""

    help = (
        "What the flow review found. Exit code 1 when a finding is open that is at least as bad as --fail-on; accepted "
        "and suppressed ones do not fail a pipeline."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--service", help="only the findings of this service")
        parser.add_argument("--rule", default="", help="only the findings of this rule")
        parser.add_argument("--format", choices=("text", "json", "junit"), default="text")
        parser.add_argument(
            "--fail-on",
            choices=(*(one.label for one in Severity), "never"),
            default="flaw",
            help="the least severity that fails (default: %(default)s)",
        )
        parser.add_argument(
            "--run",
            action="store_true",
            help="first read and judge everything up to now, without waiting for the background run",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, and leave with 1 when something is open."""
        if options["run"]:
            while running.run(run_s=running.RUN_S, settle_s=0):
                pass
        found = list(reading.findings(service=options["service"], rule=options["rule"]))
        standings = reading.standings()
        if options["service"]:
            standings = [one for one in standings if one.service == options["service"]]
        match options["format"]:
            case "json":
                told = reporting.as_json(standings, found)
            case "junit":
                told = reporting.junit(one for one in found if one.state == State.OPEN)
            case _:
                told = reporting.text(standings, found)
        self.stdout.write(told, ending="")
        if options["fail_on"] == "never":
            return
        least = Severity[options["fail_on"].upper()]
        if any(one.state == State.OPEN and one.severity >= least for one in found):
            sys.exit(FOUND)
