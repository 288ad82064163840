from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from eventhub.outbox import inbox
from eventhub.outbox.models import OutboxMessage

# Published messages stay this long, for people who look for one.
KEEP_PUBLISHED = timedelta(days=1)
# Longer than any broker delivers again.
KEEP_PROCESSED = timedelta(days=30)


@shared_task(name="outbox.prune")
def prune() -> None:
    """Delete what was published a while ago; the events themselves are in the store for ever."""
    OutboxMessage.objects.filter(published_at__lt=timezone.now() - KEEP_PUBLISHED).delete()
    inbox.forget_before(timezone.now() - KEEP_PROCESSED)
