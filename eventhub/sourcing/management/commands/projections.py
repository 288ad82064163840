"""``manage.py projections``: how they stand; follow, rebuild, pause, resume, skip."""

import signal
from argparse import ArgumentParser
from time import sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection

from eventhub.access.audit import Actor
from eventhub.sourcing.projecting import declaring, figures, rebuilding

IDLE_S = 0.2
COMMAND = Actor("manage.py")


class Command(BaseCommand):
    """Projections at a terminal."""

    help = "Projections: how far each is, following in a process of its own, rebuilding, pausing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="how each stands")
        follow = verbs.add_parser("follow", help="take in what comes, until stopped; any number may run")
        follow.add_argument("names", nargs="*")
        for verb in ("rebuild", "pause", "resume", "skip"):
            verbs.add_parser(verb).add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        try:
            match options["verb"]:
                case "list":
                    for one in figures.standings():
                        self.stdout.write(
                            f"{one.name:<24} {one.state:<9} {one.behind:>7,} behind  {one.events:,} taken in"
                        )
                        for stop in one.stopped:
                            self.stdout.write(f"    at {stop.poison_event_id}: {stop.poison_error}")
                case "follow":
                    self._follow(options["names"])
                case "rebuild":
                    rebuilding.change_state(options["name"], "rebuild", COMMAND)
                    self.stdout.write("The rebuild has begun; the live table is kept up and read meanwhile.")
                case verb:
                    rebuilding.change_state(options["name"], verb, COMMAND)
        except (rebuilding.NoSuchProjection, rebuilding.NotStopped) as error:
            raise CommandError(str(error)) from error

    def _follow(self, names: list[str]) -> None:
        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, frame: stopped.append(signum))
        chosen = [rebuilding.find(name)[0] for name in names or declaring.declared()]
        while not stopped:
            try:
                if sum(rebuilding.follow(one) for one in chosen) == 0:
                    sleep(IDLE_S)
            except Error as error:
                self.stderr.write(f"The database does not answer: {error}")
                connection.close()
                sleep(1.0)
