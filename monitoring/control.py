"""Pausing, resuming and slowing a source. Workers see it within about a second."""

from django.db import transaction

from eventhub.access import audit
from eventhub.brokers.models import Source


@transaction.atomic
def set_paused(source: Source, paused: bool, actor: audit.Actor) -> bool:
    """Pause or resume `source` and note who did it; false when it already was so."""
    changed = Source.objects.filter(pk=source.pk, paused=not paused).update(paused=paused)
    if changed:
        audit.record(actor, "pause" if paused else "resume", f"source {source.name}")
    source.paused = paused
    return bool(changed)


@transaction.atomic
def set_limits(source: Source, events_per_s: int | None, bytes_per_s: int | None, actor: audit.Actor) -> bool:
    """Read `source` no faster than this (None: as fast as it goes) and note who said so; false when it was so."""
    before = source.max_events_per_s, source.max_bytes_per_s
    if before == (events_per_s, bytes_per_s):
        return False
    Source.objects.filter(pk=source.pk).update(max_events_per_s=events_per_s, max_bytes_per_s=bytes_per_s)
    audit.record(
        actor, "limit", f"source {source.name}", events_per_s=events_per_s, bytes_per_s=bytes_per_s,
        before=list(before),
    )  # fmt: skip
    source.max_events_per_s, source.max_bytes_per_s = events_per_s, bytes_per_s
    return True
