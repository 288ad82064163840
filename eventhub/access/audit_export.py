"""The audit log read, filtered, exported, and after a time of one's choice dropped."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.models import AuditEntry
from eventhub.pages.spreadsheet import harmless

COLUMNS = ("id", "at", "actor", "action", "target", "detail")
CHUNK = 2_000


def entries(
    *, actor: str = "", action: str = "", since: datetime | None = None, until: datetime | None = None
) -> QuerySet[AuditEntry]:
    """The entries that fit, the newest first."""
    found = AuditEntry.objects.order_by("-id")
    if actor:
        found = found.filter(actor=actor)
    if action:
        found = found.filter(action=action)
    if since:
        found = found.filter(at__gte=since)
    return found.filter(at__lt=until) if until else found


def csv_lines(found: QuerySet[AuditEntry]) -> Iterator[str]:
    """A line of names, then a line for each entry; read in chunks."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in found.iterator(chunk_size=CHUNK):
        row = as_row(entry)
        cells = [row[name] for name in COLUMNS[:-1]] + [msgspec.json.encode(entry.detail).decode()]
        writer.writerow([harmless(cell) for cell in cells])
        if text.tell() > 32_000:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def json_lines(found: QuerySet[AuditEntry]) -> Iterator[bytes]:
    """A JSON object in a line of its own for each entry."""
    for entry in found.iterator(chunk_size=CHUNK):
        yield msgspec.json.encode(as_row(entry)) + b"\n"


def as_row(entry: AuditEntry) -> dict[str, Any]:
    """An entry by its columns."""
    return {
        "id": entry.pk,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "detail": entry.detail,
    }


@transaction.atomic
def drop_old(days: int | None = None, *, dry_run: bool = False) -> int:
    """Drop entries older than AUDIT_RETENTION_DAYS (0 keeps all), and note that; how many they are."""
    wanted = settings.AUDIT_RETENTION_DAYS if days is None else days
    if wanted <= 0:
        return 0
    before = timezone.now() - timedelta(days=wanted)
    old = AuditEntry.objects.filter(at__lt=before)
    count = old.count()
    if dry_run or not count:
        return count
    with connection.cursor() as cursor:
        # The trigger of the table lets retention through, and nobody else.
        cursor.execute("SET LOCAL eventhub.retention = 'on'")
        cursor.execute("DELETE FROM access_auditentry WHERE at < %s", [before])
        cursor.execute("SET LOCAL eventhub.retention = 'off'")
    audit.record(audit.SYSTEM, "drop", f"{count:,} audit entries", before=before.isoformat())
    return count
