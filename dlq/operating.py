"""What a person or a script asks for in one go: claim, send, and say what became of each letter."""

import logging
from collections.abc import Sequence

import msgspec
from kombu.exceptions import OperationalError

from dlq import retry
from dlq.models import RetryState
from dlq.retry import Refusal
from dlq.tasks import publish_claimed
from eventhub.access.audit import Actor

log = logging.getLogger(__name__)
# More than this are sent by a worker, so that nobody waits for a page.
SENT_AT_ONCE = 20


class Outcome(msgspec.Struct, frozen=True):
    """What became of a request to retry letters."""

    sent: list[int]
    # Handed to a worker, which sends them in the next moments.
    being_sent: list[int]
    # Letters that stay as they are, and why; also those the broker did not take.
    refused: list[Refusal]
    # Whether the broker is among the refusers.
    broker_failed: bool = False

    @property
    def accepted(self) -> int:
        """How many are sent or on their way."""
        return len(self.sent) + len(self.being_sent)


def retry_letters(letter_ids: Sequence[int], actor: Actor) -> Outcome:
    """Claim the letters and send them: a few now, many through a worker. Must not run inside a transaction."""
    claims = retry.claim(letter_ids, actor)
    refused = list(claims.refused)
    if len(claims.retry_ids) > SENT_AT_ONCE:
        try:
            publish_claimed.delay(claims.retry_ids)
        except OperationalError as error:
            # The claims are there: the sweep sends them as soon as a worker runs.
            log.warning("Could not hand %d retries to a worker: %s", len(claims.retry_ids), error)
        gone = {refusal.letter_id for refusal in refused}
        return Outcome([], [pk for pk in sorted(set(letter_ids)) if pk not in gone], refused)
    sent: list[int] = []
    being_sent: list[int] = []
    for done in retry.publish_claimed(claims.retry_ids):
        if done.state == RetryState.NOT_PUBLISHED:
            refused.append(Refusal(done.letter_id, f"It could not be sent: {done.error}"))
        elif done.state == RetryState.CLAIMED:
            being_sent.append(done.letter_id)
        else:
            sent.append(done.letter_id)
    return Outcome(sent, being_sent, refused, broker_failed=len(refused) > len(claims.refused))
