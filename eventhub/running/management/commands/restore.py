from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventhub.running.backups import restoring
from eventhub.running.backups.programs import BackupFailed


class Command(BaseCommand):
    """Bring a backup back."""

    help = (
        "Restore a backup of `manage.py backup` into an empty database, and compare count and hash of each table. "
        "A backup that is not whole, or was altered, is refused before anything is touched."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where from."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("--check", action="store_true", help="only look whether the backup is whole")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what came of it."""
        try:
            if options["check"]:
                held = restoring.check(options["folder"])
            else:
                held = restoring.restore(options["folder"], self.stdout.write)
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        what = f"{held.contents.rows:,} rows of {len(held.contents.tables)} tables"
        if options["check"]:
            self.stdout.write(f"Whole and unaltered: {what}, made {held.made_at:%Y-%m-%d %H:%M} UTC.")
            return
        self.stdout.write(f"Restored and compared: {what}. Now `manage.py prepare`, then start EventHub.")
