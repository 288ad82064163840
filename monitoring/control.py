"""Pausing and resuming a source. Workers see it within about a second."""

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
