"""The inbox: a consumer's memory of what it has processed, so that a message that comes twice takes effect once."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from django.db import connection, transaction

from eventhub.outbox.models import InboxEntry
from eventhub.outbox.publishing import NotInTransaction

T = TypeVar("T")


def is_first(consumer: str, event_id: str) -> bool:
    """Whether `consumer` sees this event for the first time; notes it, in the caller's transaction.

    Two that process the same event at once: the second waits for the first, and sees what became of it. Raises
    NotInTransaction: the note and the processing stand or fall together.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(
            "inbox.is_first() was called outside of a transaction. Put it and the processing into one "
            "`with transaction.atomic():` block."
        )
    with connection.cursor() as cursor:
        cursor.execute(  # inbox_once
            "INSERT INTO outbox_inboxentry (consumer, event_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [consumer, event_id],
        )
        return bool(cursor.rowcount == 1)


def once(consumer: str) -> Callable[[Callable[..., T]], Callable[..., T | None]]:
    """Have the decorated function, whose first argument is an event with its "event_id", run once for each event.

    It runs inside a transaction; for an event that came before it is not called, and None is returned.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T | None]:
        @wraps(function)
        def processed(event: Any, *args: Any, **kwargs: Any) -> T | None:
            event_id = event["event_id"] if isinstance(event, dict) else event.event_id
            with transaction.atomic():
                return function(event, *args, **kwargs) if is_first(consumer, event_id) else None

        return processed

    return decorate


def forget_before(at: datetime) -> int:
    """Delete entries older than `at`; how many. Keep them for longer than a broker may deliver again."""
    return InboxEntry.objects.filter(processed_at__lt=at).delete()[0]
