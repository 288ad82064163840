"""Which event types were seen: ingest tells, so that a type appears with its first event."""

from collections.abc import Iterable
from time import monotonic

from django.db import connection, transaction

# `last_seen_at` is written this often at most, because workers would queue for the rows of busy types.
NOTED_EVERY_S = 5.0


class SeenTypes:
    """What one writer has told the database about types already."""

    def __init__(self) -> None:
        self._noted_at: dict[str, float] = {}

    def note(self, event_types: Iterable[str]) -> None:
        """Note that events of these types are being stored, in the caller's transaction."""
        now = monotonic()
        due = sorted(
            name
            for name in set(event_types)
            if now - self._noted_at.get(name, -NOTED_EVERY_S) >= NOTED_EVERY_S
        )
        if not due:
            return
        with connection.cursor() as cursor:
            cursor.execute(  # sorted, so that two workers cannot wait for each other
                "INSERT INTO schemas_eventtype (name, description, owner, validation, lifecycle, kind, style,"
                " docs_url, compatibility, default_version, subject, first_seen_at, last_seen_at)"
                " SELECT name, '', '', 'default', 'stable', '', '', '', '', '', '', now(), now()"
                " FROM unnest(%s::text[]) AS name"
                " ON CONFLICT (name) DO UPDATE SET last_seen_at = now(),"
                " first_seen_at = coalesce(schemas_eventtype.first_seen_at, now())",
                [due],
            )
        transaction.on_commit(lambda: self._noted_at.update(dict.fromkeys(due, now)))
