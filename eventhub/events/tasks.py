import logging
from datetime import UTC, datetime, timedelta

from celery import shared_task

from eventhub.events import partitions

log = logging.getLogger(__name__)


@shared_task(name="events.prepare_partitions")
def prepare_partitions() -> None:
    """Make today's and tomorrow's partitions before the first event needs them."""
    today = datetime.now(UTC).date()
    partitions.ensure([today, today + timedelta(days=1)])


@shared_task(name="events.drop_old")
def drop_old() -> None:
    """Apply the retention."""
    for name in partitions.drop_expired():
        log.info("dropped %s: its events are older than EVENT_RETENTION_DAYS", name)
