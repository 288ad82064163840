"""Taking letters off the list by a person's decision, and putting them back."""

from collections.abc import Callable, Sequence

import msgspec
from django.db import transaction
from django.utils import timezone

from dlq import counts
from dlq.models import DeadLetter, Retry, RetryState, Status
from dlq.retry import MAX_AT_ONCE, NotNow, Refusal, is_silent
from eventhub.access import audit
from eventhub.access.audit import Actor

# Raises NotNow when the letter, with its retry that is alive, must stay as it is.
Refuse = Callable[[DeadLetter, Retry | None], None]


class Closed(msgspec.Struct, frozen=True):
    """What became of a request to close or reopen letters."""

    done: list[int]
    refused: list[Refusal]


class NoReason(ValueError):
    """Discarding needs a reason, so that the next reader knows why."""


def discard(letter_ids: Sequence[int], reason: str, actor: Actor) -> Closed:
    """Discard these letters: they stay readable and can be reopened. Raises NoReason when `reason` is empty."""
    reason = reason.strip().replace("\x00", "␀")[:1000]
    if not reason:
        raise NoReason("Say why it is discarded, e.g. “duplicate of order 8412” or “test data”.")
    return _move(letter_ids, "discard", Status.DISCARDED, _refuse_discard, actor, reason)


def reopen(letter_ids: Sequence[int], actor: Actor) -> Closed:
    """Put discarded or resolved letters back on the list."""
    return _move(letter_ids, "reopen", Status.OPEN, _refuse_reopen, actor)


def resolve(letter_ids: Sequence[int], note: str, actor: Actor) -> Closed:
    """Mark letters as resolved that were sent and not heard of since: a person knows that they arrived."""
    return _move(letter_ids, "resolve", Status.RESOLVED, _refuse_resolve, actor, note.strip()[:1000])


def close_read(letter_ids: Sequence[int], note: str, actor: Actor) -> None:
    """Resolve open letters whose messages were read again and stored. They are locked, and may be closed."""
    if letter_ids:
        _move(letter_ids, "read again", Status.RESOLVED, lambda letter, alive: None, actor, note)


def _refuse_discard(letter: DeadLetter, alive: Retry | None) -> None:
    if letter.status == Status.DISCARDED:
        raise NotNow("It is discarded already.")
    if letter.status == Status.RESOLVED:
        raise NotNow("It is resolved already: there is nothing to discard.")
    if alive and alive.state == RetryState.CLAIMED:
        raise NotNow(
            f"It waits in retry job {alive.job_id}, for {alive.requested_by}. Cancel that job first."
        )
    if alive and not is_silent(letter):
        raise NotNow(
            f"It was sent for {alive.requested_by} and its outcome is awaited. Wait for it to settle."
        )


def _refuse_reopen(letter: DeadLetter, alive: Retry | None) -> None:
    if letter.status not in (Status.DISCARDED, Status.RESOLVED):
        raise NotNow("It is on the list already.")


def _refuse_resolve(letter: DeadLetter, alive: Retry | None) -> None:
    if letter.status != Status.SENT:
        raise NotNow(
            "Only a letter that was sent can be marked as resolved. Retry it, or discard it with a reason."
        )


@transaction.atomic
def _move(
    letter_ids: Sequence[int],
    verb: str,
    to: Status,
    refuse: Refuse,
    actor: Actor,
    note: str = "",
) -> Closed:
    wanted = sorted(set(letter_ids))
    if len(wanted) > MAX_AT_ONCE:
        raise ValueError(f"At most {MAX_AT_ONCE} letters are changed at once; {len(wanted)} were chosen.")
    letters = {
        letter.pk: letter
        for letter in DeadLetter.objects.filter(pk__in=wanted)
        .only("pk", "group_id", "status", "sent_at")
        .order_by("pk")
        .select_for_update()
    }
    alive = {
        retry.letter_id: retry
        for retry in Retry.objects.filter(
            letter__in=letters, state__in=[RetryState.CLAIMED, RetryState.PUBLISHED]
        )
    }
    done: list[int] = []
    refused: list[Refusal] = []
    changes: dict[int, counts.Change] = {}
    for letter_id in wanted:
        letter = letters.get(letter_id)
        if letter is None:
            refused.append(Refusal(letter_id, f"There is no dead letter {letter_id}."))
            continue
        try:
            refuse(letter, alive.get(letter_id))
        except NotNow as refusal:
            refused.append(Refusal(letter_id, str(refusal)))
            continue
        done.append(letter_id)
        open_change = (to == Status.OPEN) - (letter.status == Status.OPEN)
        changes.setdefault(letter.group_id, counts.Change()).open += open_change
    now = timezone.now()
    closed = to != Status.OPEN
    DeadLetter.objects.filter(pk__in=done).update(
        status=to,
        closed_at=now if closed else None,
        closed_by=actor.name[:150] if closed else "",
        closed_note=note if closed else "",
    )
    Retry.objects.filter(letter__in=done, state=RetryState.PUBLISHED).update(
        state=RetryState.SUCCEEDED if to == Status.RESOLVED else RetryState.NO_WORD, finished_at=now
    )
    counts.add(changes)
    if done:
        target = f"dead letter {done[0]}" if len(done) == 1 else f"{len(done)} dead letters"
        detail = {"letters": done} | ({"reason": note} if note else {})
        audit.record(actor, verb, target, **detail)
    return Closed(done, refused)
