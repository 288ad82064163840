from argparse import ArgumentParser
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from eventhub.access import audit
from eventhub.events import partitions
from eventhub.pages.formats import number, size
from monitoring.storage import growing, keeping
from monitoring.storage.forecast import in_days


class Command(BaseCommand):
    """What lies on the disk, and what retention does."""

    help = (
        "What the events take on disk and when it is full; which days retention would drop and which partitions are "
        "missing. Only with --apply it drops and makes them; dropped events are gone for ever."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which retention, and whether to do it."""
        parser.add_argument("--days", type=int, help="as if EVENT_RETENTION_DAYS were this")
        parser.add_argument("--apply", action="store_true", help="do it")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell, and with --apply do."""
        days = settings.EVENT_RETENTION_DAYS if options["days"] is None else options["days"]
        if days < 0:
            raise CommandError("--days is a number of days, or 0 to keep everything.")
        now = timezone.now()
        standing = growing.standing(now)
        plan = keeping.plan(standing.partitions, days, now)
        if options["json"]:
            told = {"standing": standing, "plan": plan, "freed_bytes": plan.freed_bytes}
            self.stdout.write(msgspec.json.format(msgspec.json.encode(told)).decode())
        else:
            self._tell(standing, plan, dry=not options["apply"])
        if options["apply"]:
            dropped = partitions.drop_older_than(days, now.date())
            partitions.ensure(plan.made)
            if dropped:
                audit.record(audit.SYSTEM, "drop", "events", partitions=dropped, kept_days=days)

    def _tell(self, standing: growing.Standing, plan: keeping.Plan, *, dry: bool) -> None:
        free = standing.room.free_bytes
        self.stdout.write(
            f"Database {size(standing.database_bytes)}, free {size(free) if free is not None else 'unknown'}, "
            f"{size(standing.forecast.per_day_bytes)} a day: {in_days(standing.forecast)}."
        )
        would = "Would drop" if dry else "Drops"
        for one in plan.dropped:
            self.stdout.write(f"{would} {one.name}: about {number(one.rows)} events, {size(one.size_bytes)}")
        if not plan.dropped:
            self.stdout.write(
                "Nothing is old enough to be dropped."
                if plan.days
                else "Everything is kept: retention is off."
            )
        else:
            self.stdout.write(f"In all {size(plan.freed_bytes)} and {number(plan.lost_events)} events.")
        for day in plan.made:
            self.stdout.write(f"{'Would make' if dry else 'Makes'} the partition of {day}")
        if dry and (plan.dropped or plan.made):
            self.stdout.write("Nothing was done: --apply does it.")
