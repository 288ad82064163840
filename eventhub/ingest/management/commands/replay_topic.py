from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from eventhub.access import audit
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.kafka.spans import Point
from eventhub.brokers.models import Source
from eventhub.ingest.replay import Tally, plan, replay

TELL_EVERY_S = 1.0


class Command(BaseCommand):
    """Read a part of a Kafka topic into the store once more."""

    help = (
        "Read a part of a Kafka topic into the store once more. What is there already is counted as a duplicate; the "
        "consumer group's position does not move."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`SOURCE TOPIC --from … --to … [--partition N] [--dry-run]`."""
        parser.add_argument(
            "source", help="the source whose cluster holds the topic, and whose events they become"
        )
        parser.add_argument("topic")
        point = "an offset, or a time such as 2030-12-31T00:00:00Z"
        parser.add_argument(
            "--from", dest="start", type=_point, help=f"{point} (default: the topic's beginning)"
        )
        parser.add_argument(
            "--to", dest="end", type=_point, help=f"{point}, not included (default: its end now)"
        )
        parser.add_argument("--partition", type=int, help="only this one (default: all)")
        parser.add_argument("--dry-run", action="store_true", help="say what would be read, and read nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Plan, tell, read."""
        source = Source.objects.filter(name=options["source"]).first()
        if source is None:
            known = ", ".join(Source.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no source {options['source']!r}. There are: {known}.")
        topic, start, end = options["topic"], options["start"], options["end"]
        try:
            spans = plan(source, topic, start, end, options["partition"])
            total = sum(span.length for span in spans)
            for span in spans:
                self.stdout.write(
                    f"partition {span.partition}: offsets {span.first:,} to {max(span.first, span.end):,}, "
                    f"at most {span.length:,} messages"
                )
            if options["dry_run"]:
                self.stdout.write(f"{total:,} messages at most would be read.")
                return
            audit.record(
                audit.SYSTEM,
                "replay",
                f"{source.name}/{topic}",
                start=str(start),
                end=str(end),
                messages=total,
            )
            tally = replay(source, spans, self._progress(total))
        except BrokerError as error:
            raise CommandError(str(error)) from error
        except Error as error:
            raise CommandError(
                f"The database failed: {error}. What was read before is stored; run the command again for the rest."
            ) from error
        self._tell(tally, total)

    def _progress(self, total: int) -> Any:
        told_at = monotonic()

        def on_progress(tally: Tally) -> None:
            nonlocal told_at
            if monotonic() - told_at >= TELL_EVERY_S:
                told_at = monotonic()
                self._tell(tally, total)

        return on_progress

    def _tell(self, tally: Tally, total: int) -> None:
        self.stdout.write(
            f"{tally.messages:,} of at most {total:,} messages read: {tally.new:,} new events, {tally.known:,} there "
            f"already, {tally.letters:,} new dead letters"
        )
        self.stdout.flush()


def _point(text: str) -> Point:
    """An offset or a time; a time without zone is in UTC."""
    if text.isdecimal():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is neither an offset nor a time such as 2030-12-31T00:00:00Z"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
