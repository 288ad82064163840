import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from eventhub.running.child import end_with_parent
from eventhub.running.claim import AlreadyRunning
from eventhub.running.options import BadOption, read_options
from eventhub.running.postgres import PostgresFailed
from eventhub.running.redis import RedisFailed
from eventhub.running.story import Story
from eventhub.running.whole import NotPrepared, run_whole


class Command(BaseCommand):
    """Run the whole of EventHub on this machine until Ctrl-C."""

    help = (
        "Run the whole of EventHub on this machine: PostgreSQL and Redis (embedded, unless DATABASE_URL and REDIS_URL "
        "name others), the web server, the workers, the scheduler and the demo shop. Obeys PORT, HOST, VAR_DIR, "
        "ADMIN_PASSWORD, DEMO, DEMO_RATE. Ctrl-C stops everything; the data stays."
    )
    requires_system_checks = ()  # its settings are complete only once it runs; each program checks its own

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--end-with-parent`."""
        parser.add_argument(
            "--end-with-parent",
            action="store_true",
            help="stop when the process that started it dies (Linux)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, or say why not."""
        if options["end_with_parent"]:
            end_with_parent(os.getppid())
        try:
            run_whole(read_options(os.environ, settings.VAR_DIR), os.environ, Story())
        except (BadOption, AlreadyRunning, PostgresFailed, RedisFailed, NotPrepared) as error:
            raise CommandError(str(error)) from error
