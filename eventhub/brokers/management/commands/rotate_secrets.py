from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventhub.access import audit
from eventhub.brokers.secrets import keys
from eventhub.brokers.secrets.rotating import rotate_all


class Command(BaseCommand):
    """Encrypt the secrets of all sources and alert channels with the first key of SECRETS_KEYS."""

    help = (
        "Encrypt the secrets of all sources and alert channels anew, with the first key of SECRETS_KEYS. A new key "
        "comes first: SECRETS_KEYS=new,old for every process; then this; then SECRETS_KEYS=new. --new-key prints a key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--new-key`."""
        parser.add_argument(
            "--new-key", action="store_true", help="print a new random key and do nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, and say whose secrets are lost."""
        if options["new_key"]:
            self.stdout.write(keys.new_key())
            return
        try:
            rotated, lost = rotate_all(audit.SYSTEM)
        except keys.BadKey as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Encrypted anew: {', '.join(rotated) or 'nothing'}.")
        if lost:
            raise CommandError(
                f"No key reads the secrets of {', '.join(lost)}. Put back the key that they were encrypted with, or "
                "enter them again where they are set."
            )
