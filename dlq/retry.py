"""Whether a letter may be sent again, and the front door for those who know a way for their letters.

What sends them is a retry job (``dlq/jobs/``), for one letter as for a million.
"""

from datetime import timedelta

import msgspec
from django.utils import timezone

from dlq.models import DeadLetter, Retry, RetryState, Status
from dlq.routes import register

__all__ = ["MAX_AT_ONCE", "NO_WORD_AFTER", "NotNow", "Refusal", "is_silent", "refuse_retry", "register"]

# Letters that are changed in one go by their ids.
MAX_AT_ONCE = 500
# A published retry that is not heard of for this long may be sent again.
NO_WORD_AFTER = timedelta(minutes=10)


class NotNow(Exception):
    """The letter's state does not allow it. The text says which state that is, and what can be done."""


class Refusal(msgspec.Struct, frozen=True):
    """Why one letter is left as it is."""

    letter_id: int
    why: str


def refuse_retry(letter: DeadLetter, alive: Retry | None) -> None:
    """Raise NotNow when `letter`, with its `alive` retry if it has one, must not be sent now."""
    if letter.status == Status.DISCARDED:
        raise NotNow("It is discarded. Reopen it first.")
    if letter.status == Status.RESOLVED:
        raise NotNow("It is resolved already.")
    if alive and alive.state == RetryState.CLAIMED:
        raise NotNow(f"It waits in retry job {alive.job_id}, for {alive.requested_by}.")
    if alive and not is_silent(letter):
        raise NotNow(
            f"It was sent already, for {alive.requested_by}, and its outcome is awaited. It can be sent again when "
            f"nothing is heard for {NO_WORD_AFTER.seconds // 60} minutes."
        )


def is_silent(letter: DeadLetter) -> bool:
    """Whether the letter was sent and has not been heard of for `NO_WORD_AFTER`."""
    sent = letter.status == Status.SENT and letter.sent_at is not None
    return sent and timezone.now() - (letter.sent_at or timezone.now()) > NO_WORD_AFTER
