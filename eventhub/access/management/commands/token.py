from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import create_token, revoke_tokens


class Command(BaseCommand):
    """Create, list and revoke API tokens."""

    help = "Create, list and revoke API tokens. `create` prints the token, and it is shown only then."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`create NAME --scope …`, `list`, `revoke PREFIX`."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create")
        create.add_argument("name")
        create.add_argument("--scope", choices=Scope.values, required=True)
        create.add_argument("--days", type=int, help="how long it is valid (default: until it is revoked)")
        create.add_argument(
            "--source",
            action="append",
            default=[],
            help="it may send to and change this source only; give it several times for several",
        )
        verbs.add_parser("list")
        revoke = verbs.add_parser("revoke")
        revoke.add_argument("prefix", help="as `list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        match options["verb"]:
            case "create":
                self._create(options["name"], Scope(options["scope"]), options["days"], options["source"])
            case "list":
                for token in ApiToken.objects.all():
                    limit = f" ({', '.join(token.sources)})" if token.sources else ""
                    self.stdout.write(f"{token.prefix}…  {token.scope:9} {token.state:8} {token.name}{limit}")
            case "revoke":
                found = ApiToken.objects.filter(prefix=options["prefix"].rstrip("…"))
                if not revoke_tokens(found, audit.SYSTEM):
                    raise CommandError(
                        f"No unrevoked token begins with {options['prefix']!r}; see `token list`."
                    )
                self.stdout.write("revoked")

    @transaction.atomic
    def _create(self, name: str, scope: Scope, days: int | None, sources: list[str]) -> None:
        if days is not None and days < 1:
            raise CommandError("--days should be 1 or more; leave it out for a token without an end.")
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        text = create_token(name, scope, expires_at, sources)
        audit.record(audit.SYSTEM, "create token", name, scope=scope.value, sources=sources)
        self.stdout.write(text)
