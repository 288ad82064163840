"""Sending letters again, each once for each time somebody asks.

Asking and sending are two steps. `claim` writes a Retry for each letter, and a letter has at most one that is alive
(``one_retry_at_a_time``): a second click, person or job finds it taken. `publish_claimed` then marks each Retry as
begun, publishes, and marks it as published; each mark is committed before the next thing happens. So whatever stops
in between, what is there tells what happened: see ``dlq/settling.py``.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from dlq import counts
from dlq.models import DeadLetter, Retry, RetryState, Status
from dlq.routes import NoRoute, outgoing, register, route_of
from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.brokers.adapter import BrokerError

__all__ = [
    "MAX_AT_ONCE",
    "NO_WORD_AFTER",
    "Claims",
    "NotNow",
    "Refusal",
    "claim",
    "publish_claimed",
    "register",
]

MAX_AT_ONCE = 500
# A published retry that is not heard of for this long may be sent again.
NO_WORD_AFTER = timedelta(minutes=10)


class NotNow(Exception):
    """The letter's state does not allow it. The text says which state that is, and what can be done."""


class Refusal(msgspec.Struct, frozen=True):
    """Why one letter is not sent again."""

    letter_id: int
    why: str


class Claims(msgspec.Struct, frozen=True):
    """What `claim` did: the retries to publish, and the letters left alone."""

    retry_ids: list[int]
    refused: list[Refusal]


@transaction.atomic
def claim(letter_ids: Sequence[int], actor: Actor) -> Claims:
    """Claim these letters for a retry each; at most `MAX_AT_ONCE`, raises ValueError beyond.

    Letters that are closed, on their way, or have nowhere to go are refused, each with words for people.
    """
    wanted = sorted(set(letter_ids))
    if len(wanted) > MAX_AT_ONCE:
        raise ValueError(f"At most {MAX_AT_ONCE} letters are sent at once; {len(wanted)} were chosen.")
    letters = {
        letter.pk: letter
        for letter in DeadLetter.objects.filter(pk__in=wanted)
        .select_related("source")
        .defer("body", "stack")
        .order_by("pk")
        .select_for_update(of=("self",))
    }
    alive = {
        retry.letter_id: retry
        for retry in Retry.objects.filter(
            letter__in=letters, state__in=[RetryState.CLAIMED, RetryState.PUBLISHED]
        )
    }
    retries: list[Retry] = []
    refused: list[Refusal] = []
    for letter_id in wanted:
        try:
            letter = letters[letter_id]
            refuse_retry(letter, alive.get(letter_id))
            destination = route_of(letter).destination
        except KeyError:
            refused.append(Refusal(letter_id, f"There is no dead letter {letter_id}."))
        except (NotNow, NoRoute) as refusal:
            refused.append(Refusal(letter_id, str(refusal)))
        else:
            retries.append(
                Retry(
                    letter=letter,
                    attempt=letter.attempts + 1,
                    destination=destination,
                    requested_by=actor.name[:150],
                )
            )
    silent = [alive[retry.letter_id].pk for retry in retries if retry.letter_id in alive]
    Retry.objects.filter(pk__in=silent).update(state=RetryState.NO_WORD, finished_at=timezone.now())
    _count_attempts_up(retries)
    try:
        with transaction.atomic():
            made = Retry.objects.bulk_create(retries)
    except IntegrityError as error:  # pragma: no cover - the locks above come first
        raise NotNow(
            "Somebody else is sending these letters at this moment. Look again in a second."
        ) from error
    if made:
        audit.record(
            actor, "retry", _target([retry.letter_id for retry in made]), letters=[r.letter_id for r in made]
        )
    return Claims([retry.pk for retry in made], refused)


def refuse_retry(letter: DeadLetter, alive: Retry | None) -> None:
    """Raise NotNow when `letter`, with its `alive` retry if it has one, must not be sent now."""
    if letter.status == Status.DISCARDED:
        raise NotNow("It is discarded. Reopen it first.")
    if letter.status == Status.RESOLVED:
        raise NotNow("It is resolved already.")
    if alive and alive.state == RetryState.CLAIMED:
        raise NotNow(f"It is being sent at this moment, for {alive.requested_by}.")
    if alive and not is_silent(letter):
        raise NotNow(
            f"It was sent already, for {alive.requested_by}, and its outcome is awaited. It can be sent again when "
            f"nothing is heard for {NO_WORD_AFTER.seconds // 60} minutes."
        )


def is_silent(letter: DeadLetter) -> bool:
    """Whether the letter was sent and has not been heard of for `NO_WORD_AFTER`."""
    sent = letter.status == Status.SENT and letter.sent_at is not None
    return sent and timezone.now() - (letter.sent_at or timezone.now()) > NO_WORD_AFTER


def publish_claimed(retry_ids: Sequence[int]) -> list[Retry]:
    """Publish claimed retries, one after the other, and return them as they then stand.

    Must not run inside a transaction: each step has to be durable before the next. Retries that somebody else has
    begun, or that are settled, are left alone, so the same ids may be given twice.
    """
    if connection.in_atomic_block:
        raise RuntimeError("publish_claimed() needs its steps committed: call it outside of a transaction.")
    for retry_id in retry_ids:
        if retry := _begin(retry_id):
            _publish(retry)
    by_id = Retry.objects.select_related("letter").defer("letter__body").in_bulk(list(retry_ids))
    return [by_id[retry_id] for retry_id in retry_ids if retry_id in by_id]


def _begin(retry_id: int) -> Retry | None:
    """Mark the retry as begun; None when it is not this caller's to publish."""
    begun = Retry.objects.filter(pk=retry_id, state=RetryState.CLAIMED, publish_started_at=None).update(
        publish_started_at=timezone.now()
    )
    return Retry.objects.select_related("letter__source").get(pk=retry_id) if begun else None


def _publish(retry: Retry) -> None:
    try:
        route = route_of(retry.letter)
        route.publish(retry.letter.source, [outgoing(retry.letter, retry.attempt, route)])
    except (BrokerError, NoRoute) as error:
        mark_not_published(retry.pk, str(error))
    else:
        _mark_published(retry)


@transaction.atomic
def _mark_published(retry: Retry) -> None:
    """Note that the broker has it, unless its outcome came first."""
    now = timezone.now()
    letter = DeadLetter.objects.select_for_update().only("pk", "group_id", "status").get(pk=retry.letter_id)
    marked = Retry.objects.filter(pk=retry.pk, state__in=[RetryState.CLAIMED, RetryState.UNCERTAIN]).update(
        state=RetryState.PUBLISHED, published_at=now, finished_at=None, error=""
    )
    if marked and letter.status in (Status.OPEN, Status.SENT):
        DeadLetter.objects.filter(pk=letter.pk).update(status=Status.SENT, sent_at=now)
        if letter.status == Status.OPEN:
            counts.add({letter.group_id: counts.Change(open=-1)})


@transaction.atomic
def mark_not_published(retry_id: int, why: str, state: RetryState = RetryState.NOT_PUBLISHED) -> None:
    """Note that a claimed retry was not sent (or may not have been); its letter is open, with the reason."""
    retry = Retry.objects.only("letter_id").get(pk=retry_id)
    letter = DeadLetter.objects.select_for_update().only("pk", "group_id", "status").get(pk=retry.letter_id)
    marked = Retry.objects.filter(pk=retry_id, state=RetryState.CLAIMED).update(
        state=state, finished_at=timezone.now(), error=why[:1000]
    )
    if marked and letter.status == Status.SENT:
        # It was sent before, was not heard of, and this further try failed: it is somebody's to look at.
        DeadLetter.objects.filter(pk=letter.pk).update(status=Status.OPEN)
        counts.add({letter.group_id: counts.Change(open=1)})


def _count_attempts_up(retries: Sequence[Retry]) -> None:
    """Give each retry a number that no earlier retry of its letter carried: the outcome is found by it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter_id, max(attempt) FROM dlq_retry WHERE letter_id = ANY(%s) GROUP BY letter_id",
            [[retry.letter_id for retry in retries]],
        )
        highest = dict(cursor.fetchall())
    for retry in retries:
        retry.attempt = max(retry.attempt, highest.get(retry.letter_id, 0) + 1)


def _target(letter_ids: Sequence[int]) -> str:
    return f"dead letter {letter_ids[0]}" if len(letter_ids) == 1 else f"{len(letter_ids)} dead letters"
