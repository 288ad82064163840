"""``manage.py handlers list|pause|resume|enable|disable|replay|…``: handlers at a terminal, and for scripts."""

import getpass
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from eventhub.access.audit import Actor
from eventhub.handlers import control, figures, replaying
from eventhub.handlers.asking import selection_from
from eventhub.handlers.control import NoSuchHandler, NotStopped
from eventhub.handlers.models import Replay, ReplayState, Which
from eventhub.handlers.selecting import BadSelection, Selection
from eventhub.pages.formats import ago, duration, number, percent, rate

LOOK_EVERY_S = 1.0
DEEDS = {
    "pause": (control.pause, "Its deliveries wait until it is resumed."),
    "resume": (control.resume, "Go on with a paused one."),
    "disable": (control.disable, "New events are not delivered to it any more."),
    "enable": (control.enable, "New events are delivered to it again."),
    "try-again": (control.try_again, "Probe one that its circuit breaker has stopped, now."),
}


class Command(BaseCommand):
    """Handlers at a terminal."""

    help = (
        "List, pause, switch and replay handlers. For example: handlers list; handlers pause create-shipment; "
        "handlers replay create-shipment --since 2026-11-24T10:00 --dry-run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="Show all handlers and how each one stands.")
        for verb, (_, words) in DEEDS.items():
            verbs.add_parser(verb, help=words).add_argument("name")
        replay = verbs.add_parser("replay", help="Deliver stored events to one handler.")
        replay.add_argument("name")
        replay.add_argument(
            "--since", default="", help="Events that occurred then or later, e.g. 2026-11-24T10:00."
        )
        replay.add_argument(
            "--until", default="", help="Events that occurred before then; now when left out."
        )
        replay.add_argument("--type", action="append", default=[], help="Of this type; may be repeated.")
        replay.add_argument("--correlation-id", default="")
        replay.add_argument("--service", default="", help="Published by this service.")
        replay.add_argument(
            "--which",
            choices=Which.values,
            default=Which.MISSED.value,
            help="missed: never delivered to it (the default); dead: dead letters too; all: processed ones too.",
        )
        replay.add_argument("--dry-run", action="store_true", help="Count, and change nothing.")
        replay.add_argument("--wait", action="store_true", help="Return when everything is delivered.")
        verbs.add_parser("cancel", help="Cancel a replay.").add_argument("replay", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "replay": self._replay,
            "cancel": self._cancel,
        }
        try:
            verbs.get(options["verb"], self._change)(options)
        except (NoSuchHandler, NotStopped, BadSelection) as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        found = figures.handlers_now(now)
        if not found:
            self.stdout.write("There are no handlers. docs/handlers.md shows how to write one.")
        for one in found:
            waiting = one.waiting
            since = f", oldest {ago(waiting.due_since, now)}" if waiting.due_since else ""
            self.stdout.write(
                f"{one.name}\t{one.word}\t{rate(one.per_s)}\t{percent(one.error_ratio)} failed"
                f"\tp95 {duration(one.p95_s)}\t{number(waiting.total)}{'+' if waiting.is_more else ''} waiting{since}"
                f"\t{', '.join(one.patterns)}"
            )
            if one.level == "broken":
                self.stdout.write(f"  {one.advice}")

    def _change(self, options: dict[str, Any]) -> None:
        deed, _ = DEEDS[options["verb"]]
        deed(options["name"], _actor())
        now = figures.handler_now(options["name"], timezone.now())
        self.stdout.write(f"{options['name']}: {now.word if now else 'gone'}.")

    def _replay(self, options: dict[str, Any]) -> None:
        selection = selection_from(options, options["type"])
        if options["dry_run"]:
            self._plan(options["name"], selection, options["which"])
            return
        replay = replaying.start(options["name"], selection, options["which"], _actor())
        self.stdout.write(f"Replay {replay.pk} to {options['name']} has begun.")
        if options["wait"]:
            while replay.state == ReplayState.RUNNING:
                time.sleep(LOOK_EVERY_S)
                replay.refresh_from_db()
            self.stdout.write(
                f"{replay.get_state_display()}: {replay.delivered:,} delivered of {replay.looked_at:,} looked at."
            )

    def _plan(self, name: str, selection: Selection, which: str) -> None:
        try:
            plan = replaying.plan(name, selection)
        except OperationalError as error:
            raise CommandError("Counting took too long. Narrow it down by time or type.") from error
        more = "at least " if plan.is_more else ""
        self.stdout.write(
            f"{more}{plan.total:,} events fit: {plan.missed:,} never delivered to it, {plan.processed:,} processed, "
            f"{plan.dead:,} dead letters, {plan.waiting:,} waiting already."
        )
        self.stdout.write(f"A replay of --which {which} delivers {plan.delivers(which):,}.")
        for one in plan.examples:
            self.stdout.write(f"  {one.event_id}\t{one.event_type}\t{one.state or 'never delivered'}")

    def _cancel(self, options: dict[str, Any]) -> None:
        try:
            replay = replaying.cancel(options["replay"], _actor())
        except Replay.DoesNotExist as error:
            raise CommandError(f"There is no replay {options['replay']}.") from error
        self.stdout.write(f"Replay {replay.pk} is {replay.get_state_display().lower()}.")


def _actor() -> Actor:
    return Actor(f"{getpass.getuser()} (command)")
