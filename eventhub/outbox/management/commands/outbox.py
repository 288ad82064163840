"""``manage.py outbox``: run the relay, see how the outbox stands, print the SQL for other databases."""

import json
import signal
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from eventhub.brokers.adapter import BrokerError
from eventhub.outbox import figures, sql, targets
from eventhub.outbox.relay import BATCH, Relay
from eventhub.running import stopping


class Command(BaseCommand):
    """The outbox at a terminal."""

    help = "The transactional outbox: relay it to a broker, look at it, send again what was given up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        relay = verbs.add_parser("relay", help="publish what waits, until stopped; any number may run")
        relay.add_argument("--kind", choices=sorted(targets.ADAPTERS), help="instead of OUTBOX_TARGET")
        relay.add_argument("--config", default="{}", help="the broker's config as JSON, with --kind")
        relay.add_argument("--database-url", help="another PostgreSQL that has the outbox of `outbox sql`")
        relay.add_argument("--batch", type=int, default=BATCH)
        relay.add_argument(
            "--keep", action="store_true", help="mark what is published instead of deleting it"
        )
        relay.add_argument("--once", action="store_true", help="stop when nothing waits")
        status = verbs.add_parser("status", help="what waits, and for how long")
        status.add_argument("--prometheus", action="store_true")
        again = verbs.add_parser("send-again", help="what was given up waits again")
        again.add_argument("ids", nargs="*", type=int)
        verbs.add_parser("sql", help="the outbox for a database that Django does not keep")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        match options["verb"]:
            case "relay":
                self._relay(options)
            case "status" if options["prometheus"]:
                self.stdout.write(figures.prometheus())
            case "status":
                self.stdout.write(msgspec.json.format(msgspec.json.encode(figures.standing())).decode())
            case "send-again":
                self.stdout.write(f"{figures.send_again(options['ids'] or None)} wait again.")
            case "sql":
                self.stdout.write(sql.TABLE + sql.EXTRAS)

    def _relay(self, options: dict[str, Any]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, frame: stopping.ask())
        stopping.watch()
        try:
            to = (
                targets.target(options["kind"], json.loads(options["config"]))
                if options["kind"]
                else targets.target_from_settings()
            )
        except (BrokerError, ValueError) as error:
            raise CommandError(str(error)) from error
        relay = Relay(
            params_of(options["database_url"]),
            lambda: targets.connect(to),
            batch=options["batch"],
            keep=options["keep"],
        )
        if not options["once"]:
            relay.run(stopping.is_asked)
            return
        try:
            while relay.turn() and not stopping.is_asked():
                pass
        except BrokerError as error:
            raise CommandError(str(error)) from error
        finally:
            relay.close()
        self.stdout.write(f"{relay.sent} published.")


def params_of(url: str | None) -> dict[str, Any]:
    """How to connect to the database of this address; without one, to Django's own."""
    if url:
        return {"conninfo": url}
    params = connection.get_connection_params()
    return {name: value for name, value in params.items() if name not in {"cursor_factory", "context"}}
