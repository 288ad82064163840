"""What a crash left half done: retries that were asked for and not sent, or begun and not marked as sent."""

from datetime import timedelta

import msgspec
from django.utils import timezone

from dlq.models import Retry, RetryState
from dlq.retry import mark_not_published, publish_claimed

# A claim that nobody began for this long has lost its process or its task.
ABANDONED_AFTER = timedelta(seconds=45)
# Beyond this, sending would surprise whoever asked for it.
TOO_OLD_TO_SEND = timedelta(hours=1)
# Longer than any broker call may take.
INTERRUPTED_AFTER = timedelta(minutes=3)
AT_ONCE = 500


class Settled(msgspec.Struct, frozen=True):
    """What a sweep did."""

    sent: int
    given_up: int
    uncertain: int


def settle() -> Settled:
    """Send what was claimed and surely not sent; tell of what may have been sent and may not.

    Must not run inside a transaction. Several at once do no harm.
    """
    now = timezone.now()
    claimed = Retry.objects.filter(state=RetryState.CLAIMED)
    not_begun = claimed.filter(publish_started_at=None)

    too_old = list(
        not_begun.filter(requested_at__lt=now - TOO_OLD_TO_SEND).values_list("pk", flat=True)[:AT_ONCE]
    )
    for retry_id in too_old:
        mark_not_published(
            retry_id,
            "Nothing was sent: no worker took this retry up for an hour. Retry it again when one runs.",
        )

    abandoned = list(
        not_begun.filter(
            requested_at__lt=now - ABANDONED_AFTER, requested_at__gte=now - TOO_OLD_TO_SEND
        ).values_list("pk", flat=True)[:AT_ONCE]
    )
    sent = publish_claimed(abandoned)

    interrupted = list(
        claimed.filter(publish_started_at__lt=now - INTERRUPTED_AFTER).values_list("pk", flat=True)[:AT_ONCE]
    )
    for retry_id in interrupted:
        mark_not_published(
            retry_id,
            "EventHub was stopped while it sent this, so it may have been published or not. Look at the trace before "
            "you retry it: the event would carry the same id.",
            RetryState.UNCERTAIN,
        )
    return Settled(
        sent=sum(retry.state != RetryState.NOT_PUBLISHED for retry in sent),
        given_up=len(too_old),
        uncertain=len(interrupted),
    )
