from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import create_token


class Command(BaseCommand):
    """Create, list and revoke API tokens."""

    help = "Create, list and revoke API tokens. `create` prints the token, and it is shown only then."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`create NAME --scope …`, `list`, `revoke PREFIX`."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create")
        create.add_argument("name")
        create.add_argument("--scope", choices=Scope.values, required=True)
        verbs.add_parser("list")
        revoke = verbs.add_parser("revoke")
        revoke.add_argument("prefix", help="as `list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        match options["verb"]:
            case "create":
                text = create_token(options["name"], Scope(options["scope"]))
                audit.record(audit.SYSTEM, "create token", options["name"], scope=options["scope"])
                self.stdout.write(text)
            case "list":
                for token in ApiToken.objects.all():
                    state = "revoked" if token.revoked_at else "active"
                    self.stdout.write(f"{token.prefix}…  {token.scope:8} {state:8} {token.name}")
            case "revoke":
                found = ApiToken.objects.filter(prefix=options["prefix"].rstrip("…"), revoked_at=None)
                if not found.update(revoked_at=timezone.now()):
                    raise CommandError(
                        f"No active token begins with {options['prefix']!r}; see `token list`."
                    )
                audit.record(audit.SYSTEM, "revoke token", options["prefix"])
                self.stdout.write("revoked")
