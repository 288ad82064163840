from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventhub.running.backups.programs import BackupFailed
from eventhub.running.backups.saving import save


class Command(BaseCommand):
    """Back up everything that lasts."""

    help = (
        "Back up the database into a new folder, while everything goes on: a dump (pg_dump) and a manifest with the "
        "count and a hash of each table, both of one moment. Back with `manage.py restore`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("folder", type=Path, help="a folder that is not there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what is in it."""
        try:
            made = save(options["folder"])
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{made.contents.rows:,} rows of {len(made.contents.tables)} tables in {made.dump_bytes:,} bytes: "
            f"{options['folder']}"
        )
        self.stdout.write(
            "SECRET_KEY and SECRETS_KEYS are not in it: keep them elsewhere; without them its secrets are lost."
        )
