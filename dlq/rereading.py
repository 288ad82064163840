"""Reading a message again that EventHub could not read, check or store: from the letter, and nobody else sees it.

For when its source's mapping was mended, or its schema relaxed. Nothing is published: who stores events registers here
how, because that stands above dead letters. A worker that has the source running need not be restarted.
"""

from collections.abc import Callable, Sequence

from django.db import transaction

from dlq import closing
from dlq.edits.message import in_force
from dlq.models import DeadLetter, Reason, Retry, RetryState, Status
from dlq.reading import message_of
from dlq.retry import MAX_AT_ONCE, NotNow, Refusal
from eventhub.access.audit import Actor
from eventhub.brokers.models import Source
from eventhub.events.message import Message

# Stores the events in these messages of a source, as it reads them today; for each of them why not, or None.
Store = Callable[[Source, Sequence[Message]], Sequence[str | None]]
NOTE = "Read again and stored, without being sent."

_store: Store | None = None


def register(store: Store) -> None:
    """`store` is how messages are stored."""
    global _store
    _store = store


@transaction.atomic
def read_again(letter_ids: Sequence[int], actor: Actor) -> closing.Closed:
    """Read these letters' messages as their sources read them now; those that are stored by that are resolved.

    The others stay open, each with the reason. Raises ValueError for more than `MAX_AT_ONCE`.
    """
    assert _store is not None, "nobody stores events here"
    wanted = sorted(set(letter_ids))
    if len(wanted) > MAX_AT_ONCE:
        raise ValueError(f"At most {MAX_AT_ONCE} letters are read again at once; {len(wanted)} were chosen.")
    letters = list(
        DeadLetter.objects.filter(pk__in=wanted)
        .select_related("source")
        .defer("attributes", "stack")
        .order_by("pk")
        .select_for_update(of=["self"])
    )
    alive = {
        retry.letter_id: retry
        for retry in Retry.objects.filter(
            letter__in=letters, state__in=[RetryState.CLAIMED, RetryState.PUBLISHED]
        )
    }
    edited = in_force([letter.pk for letter in letters])
    there = {letter.pk for letter in letters}
    why = {pk: f"There is no dead letter {pk}." for pk in wanted if pk not in there}
    of_source: dict[int, list[DeadLetter]] = {}
    for letter in letters:
        try:
            refuse_reading(letter, alive.get(letter.pk), is_edited=letter.pk in edited)
        except NotNow as refusal:
            why[letter.pk] = str(refusal)
        else:
            of_source.setdefault(letter.source_id, []).append(letter)
    stored: list[int] = []
    for some in of_source.values():
        messages = [message_of(one, bytes(one.body), one.headers, one.key) for one in some]
        for letter, reason in zip(some, _store(some[0].source, messages), strict=True):
            if reason is None:
                stored.append(letter.pk)
            else:
                why[letter.pk] = reason
    closing.close_read(stored, NOTE, actor)
    return closing.Closed(stored, [Refusal(pk, why[pk]) for pk in wanted if pk in why])


def refuse_reading(letter: DeadLetter, alive: Retry | None, *, is_edited: bool) -> None:
    """Raise NotNow when reading `letter` again is no way to repair it."""
    if letter.reason == Reason.SERVICE:
        raise NotNow(
            "EventHub read it; a service gave up on it. Retry it, so that the service sees it again."
        )
    if letter.status in (Status.RESOLVED, Status.DISCARDED):
        raise NotNow(
            "It is resolved already."
            if letter.status == Status.RESOLVED
            else "It is discarded. Reopen it first."
        )
    if alive and alive.state == RetryState.CLAIMED:
        raise NotNow(
            f"It waits in retry job {alive.job_id}, for {alive.requested_by}. Cancel that job first."
        )
    if letter.status == Status.SENT:
        raise NotNow("It was sent, and its outcome is awaited.")
    if is_edited:
        raise NotNow("An edit has taken its place. Retry it, which sends the edit.")
