"""Whether PostgreSQL lets in as many connections as the processes that run may open."""

from collections.abc import Sequence
from typing import Any

import msgspec
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connection

from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Source

# A source's loop reads on one and writes on another.
OF_A_SOURCE = 2
# The supervisor of an ingest worker and its main process.
OF_AN_INGEST_WORKER = 2
# The main process of a task worker, beside one for each of its children.
OF_A_TASK_WORKER = 1
# The scheduler, a relay, and a person with psql.
OTHERS = 3


class Needed(msgspec.Struct, frozen=True):
    """At the most, by kind of process."""

    web: int
    ingest: int
    tasks: int
    others: int = OTHERS

    @property
    def all(self) -> int:
        """Together."""
        return self.web + self.ingest + self.tasks + self.others


def needed(sources: int) -> Needed:
    """What the processes that the settings name may open, with so many sources that are read."""
    return Needed(
        web=settings.WEB_PROCESSES * settings.DATABASE_POOL_SIZE,
        ingest=settings.INGEST_WORKERS * (OF_AN_INGEST_WORKER + OF_A_SOURCE * sources),
        tasks=settings.TASK_WORKERS * (OF_A_TASK_WORKER + settings.TASK_CONCURRENCY),
    )


def allowed() -> int:
    """How many the server lets in that are not superusers'."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END) FROM pg_settings"
            " WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
        )
        return int(cursor.fetchone()[0])


def check_connections(
    app_configs: Any = None, databases: Any = None, **kwargs: Any
) -> Sequence[CheckMessage]:
    """With ``check --database default`` and ``prepare``: it asks the server."""
    if not databases:
        return []
    try:
        may = allowed()
        sources = sum(map(is_polled, Source.objects.filter(enabled=True)))
    except DatabaseError:  # no tables yet, or nobody there: others say so
        return []
    want = needed(sources)
    if want.all <= may:
        return []
    return [
        Error(
            f"The processes may open {want.all} connections (web {want.web}, ingest {want.ingest} for {sources} "
            f"sources, tasks {want.tasks}, others {want.others}), and PostgreSQL lets in {may}.",
            hint="Raise max_connections, lower DATABASE_POOL_SIZE or TASK_CONCURRENCY, or put a pooler in between. "
            "WEB_PROCESSES, INGEST_WORKERS and TASK_WORKERS say how many run.",
            id="eventhub.E012",
        )
    ]
