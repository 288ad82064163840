"""``manage.py sagas``: see instances, drive them, and step in."""

import signal
from argparse import ArgumentParser
from time import sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.db.models import Count

from eventhub.access.audit import Actor
from eventhub.sagas import control, driving
from eventhub.sagas.models import Instance

IDLE_S = 0.2
COMMAND = Actor("manage.py")


class Command(BaseCommand):
    """Sagas at a terminal."""

    help = "Sagas: how many stand where, driving them in a process of their own, and stepping in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="how many instances of each saga stand where")
        verbs.add_parser("drive", help="do what is due, until stopped; any number may run")
        for verb in ("retry", "skip", "compensate"):
            one = verbs.add_parser(verb, help=f"{verb} by hand")
            one.add_argument("saga")
            one.add_argument("key")
            if verb != "compensate":
                one.add_argument("step")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        match options["verb"]:
            case "list":
                counted = Instance.objects.order_by("saga", "state").values_list("saga", "version", "state")
                for saga, version, state, count in counted.annotate(n=Count("pk")):
                    self.stdout.write(f"{saga} v{version}  {state:<13} {count:>8,}")
            case "drive":
                self._drive()
            case verb:
                self._step_in(verb, options)

    def _step_in(self, verb: str, options: dict[str, Any]) -> None:
        found = Instance.objects.filter(saga=options["saga"], key=options["key"]).first()
        if found is None:
            raise CommandError(f"There is no {options['saga']} about {options['key']!r}.")
        try:
            if verb == "compensate":
                done = control.compensate(found.pk, COMMAND)
            else:
                change = control.retry_step if verb == "retry" else control.skip_step
                done = change(found.pk, options["step"], COMMAND)
        except control.NotPossible as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done.saga} {done.key} is {done.state}.")

    def _drive(self) -> None:
        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, frame: stopped.append(signum))
        while not stopped:
            try:
                if driving.drive_batch() == 0:
                    sleep(IDLE_S)
            except Error as error:
                self.stderr.write(f"The database does not answer: {error}")
                connection.close()
                sleep(1.0)
