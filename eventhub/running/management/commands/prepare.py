from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from eventhub.running.connections import check_connections
from eventhub.running.preparing import ADMINISTRATOR, VIEWER, BadDemo, TooBusy, prepare


class Command(BaseCommand):
    """Make an installation ready to run; what ``up`` does before it starts the programs."""

    help = (
        "Migrate the database, create the administrator `admin` where there is none (its password is ADMIN_PASSWORD, "
        "else one is made up and printed), and with --demo set up the demo shop's sources. Safe to repeat."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--demo`, `--json`."""
        parser.add_argument("--demo", action="store_true", help="set up the demo shop's sources")
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, then say what was done."""
        try:
            done = prepare(demo=options["demo"])
        except (BadDemo, TooBusy) as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(msgspec.json.encode(done).decode())
            return
        for warning in check_connections(databases=["default"]):
            self.stderr.write(self.style.WARNING(f"{warning.msg} {warning.hint}"))
        self.stdout.write(f"Database: {done.migrations} migrations applied.")
        if done.viewer_password:
            self.stdout.write(f"To look only: {VIEWER}, password {done.viewer_password} (shown only now).")
        if done.password:
            self.stdout.write(f"Administrator: {ADMINISTRATOR}, password {done.password} (shown only now).")
        elif done.administrator_is_new:
            self.stdout.write(f"Administrator: {ADMINISTRATOR}, password as in ADMIN_PASSWORD.")
        else:
            self.stdout.write(f"Administrator: {ADMINISTRATOR} is there already; its password is unchanged.")
