"""``manage.py replay``: stored events once more to a topic or a projection."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventhub.access.audit import Actor
from eventhub.sourcing import replaying
from eventhub.sourcing.models import ReplayTarget
from eventhub.sourcing.replaying import BadReplay, Wanted


class Command(BaseCommand):
    """Replays at a terminal."""

    help = (
        "Send stored events once more to a broker's topic or a projection (to a handler: `handlers replay`)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which events, and where to."""
        parser.add_argument("target", choices=ReplayTarget.values)
        parser.add_argument("name", help="the topic or the projection")
        parser.add_argument("--source", default="", help="the source whose broker has the topic")
        parser.add_argument("--type", action="append", dest="event_types", default=[], help="e.g. order.*")
        for name in ("stream", "category", "correlation-id", "service"):
            parser.add_argument(f"--{name}", default="")
        parser.add_argument("--since", type=_time)
        parser.add_argument("--until", type=_time)
        parser.add_argument("--rate", type=float, dest="per_s", help="events a second at most")
        parser.add_argument("--dry-run", action="store_true", help="count, and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, or begin."""
        wanted = Wanted(**{name: options[name] for name in Wanted.__struct_fields__})
        try:
            if options["dry_run"]:
                plan = replaying.plan(wanted)
                self.stdout.write(f"{plan.total:,} events fit.")
                for event in plan.examples:
                    self.stdout.write(
                        f"  {event.occurred_at:%Y-%m-%d %H:%M:%S} {event.event_type} {event.event_id}"
                    )
                return
            replay = replaying.start(wanted, Actor("manage.py"))
        except BadReplay as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Replay {replay.pk} of {replay.total:,} events has begun; task workers carry it on."
        )


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
