"""Taking out what was kept beside events that retention has dropped."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

from eventhub.traces import attributes
from eventhub.traces.flow import keeping, learning
from eventhub.traces.models import Grain, Instance

# The flow in seconds and in minutes is kept so long; in hours, as long as all figures are.
SECONDS_FOR = learning.SECONDS_FOR
MINUTES_FOR = timedelta(days=3)


def thin(now: datetime | None = None) -> None:
    """Drop the seconds of the flow that only minutes tell by now. Asked every minute, it never has much to do."""
    keeping.forget(Grain.SECOND, (now or datetime.now(UTC)) - SECONDS_FOR)


def forget(now: datetime | None = None) -> None:
    """Apply the retention of events to values and instances, and that of figures to the flow, and thin that out."""
    now = now or datetime.now(UTC)
    keeping.forget(Grain.MINUTE, now - MINUTES_FOR)
    if settings.ROLLUP_RETENTION_DAYS > 0:
        keeping.forget(Grain.HOUR, now - timedelta(days=settings.ROLLUP_RETENTION_DAYS))
    if settings.EVENT_RETENTION_DAYS > 0:
        oldest = now - timedelta(days=settings.EVENT_RETENTION_DAYS + 1)
        attributes.drop_older_than(oldest)
        Instance.objects.filter(last_at__lt=oldest).delete()
