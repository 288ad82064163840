"""Publishing through the outbox: the event is written in the transaction of the change that it tells of."""

from typing import Any

import msgspec
from django.db import connection

from eventhub.outbox.models import OutboxMessage


class NotInTransaction(RuntimeError):
    """An event was given to the outbox outside of a transaction, where it could be lost or lie."""


def publish(
    topic: str, event: dict[str, Any], *, key: str | None = None, headers: dict[str, str] | None = None
) -> None:
    """Write `event` (an envelope as a dictionary) to the outbox; the relay sends it after the commit.

    Raises NotInTransaction outside of ``transaction.atomic()``: the change and its event stand or fall together.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(
            "outbox.publish() was called outside of a transaction. Put it and the change it tells of into one "
            "`with transaction.atomic():` block."
        )
    body = msgspec.json.encode(event).decode()
    OutboxMessage.objects.create(topic=topic, key=key, headers=headers or {}, body=body)
