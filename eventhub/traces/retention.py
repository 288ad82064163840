"""Taking out what was kept beside events that retention has dropped."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

from eventhub.traces import attributes
from eventhub.traces.flow import keeping
from eventhub.traces.models import Instance

# The flow in minutes is kept so long; in hours, for ever.
MINUTES_FOR = timedelta(days=3)


def forget(now: datetime | None = None) -> None:
    """Apply the retention of events (``EVENT_RETENTION_DAYS``) to values and instances, and thin out the flow."""
    now = now or datetime.now(UTC)
    keeping.forget_minutes(now - MINUTES_FOR)
    if settings.EVENT_RETENTION_DAYS > 0:
        oldest = now - timedelta(days=settings.EVENT_RETENTION_DAYS + 1)
        attributes.drop_older_than(oldest)
        Instance.objects.filter(last_at__lt=oldest).delete()
