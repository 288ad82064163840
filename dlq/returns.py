"""Retried messages that died again: their letters are opened once more, with what happened this time."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection
from django.utils import timezone

from dlq import counts, lanes, regressions
from dlq.edits.message import in_force, is_of_edit
from dlq.groups import places
from dlq.headers import retried_as
from dlq.letter import NewLetter, fingerprint_of
from dlq.models import DeadLetter, PastFailure, Reason, Retry, RetryState, Status
from dlq.text import storable
from eventhub.brokers.models import Source

# Retries whose message may be out there. Also those that seemed not to be sent: the broker may have taken the message
# and lost the connection before it said so.
MAY_COME_BACK = (
    RetryState.CLAIMED,
    RetryState.PUBLISHED,
    RetryState.UNCERTAIN,
    RetryState.NOT_PUBLISHED,
    RetryState.NO_WORD,
)

REPLACED = "Its edit died again, and has taken its place as a letter of its own."


class _Return(msgspec.Struct, frozen=True):
    letter: DeadLetter
    retry: Retry
    death: NewLetter


def take(source: Source, letters: Sequence[NewLetter]) -> list[NewLetter]:
    """Reopen the letters whose retries are among `letters`; returns those that are deaths of their own.

    Free of statements when no message says that it is a retry and none can be one.
    """
    claimed = {i: found for i, new in enumerate(letters) if (found := retried_as(new.message.headers))}
    by_event = _sent_for_events(source, [new for i, new in enumerate(letters) if i not in claimed])
    if not claimed and not by_event:
        return list(letters)
    wanted = {found.letter_id for found in claimed.values()} | set(by_event.values())
    locked = {
        letter.pk: letter
        for letter in DeadLetter.objects.filter(pk__in=wanted, source=source)
        .defer("body")
        .order_by("pk")
        .select_for_update()
    }
    retries: dict[tuple[int, int], Retry] = {}
    latest: dict[int, Retry] = {}
    # Locked in the order of ids, as a retry job locks them.
    for retry in Retry.objects.filter(letter__in=locked).order_by("pk").select_for_update():
        retries[retry.letter_id, retry.attempt] = latest[retry.letter_id] = retry

    edits = in_force(locked)
    fresh: list[NewLetter] = []
    back: dict[int, _Return] = {}
    replaced: dict[int, _Return] = {}
    for i, new in enumerate(letters):
        if found := claimed.get(i):
            letter = locked.get(found.letter_id)
            sent = retries.get((found.letter_id, found.attempt))
        else:
            letter = locked.get(by_event.get((new.event_id, new.failed_in), 0))
            sent = latest.get(letter.pk) if letter else None
        if (
            letter is None
            or sent is None
            or (new.failed_in and letter.failed_in and new.failed_in != letter.failed_in)
        ):
            fresh.append(new)  # another service died of the retried message, or the header is not ours
        elif RetryState(sent.state) not in MAY_COME_BACK or letter.pk in back or letter.pk in replaced:
            continue
        elif is_of_edit(sent, edits.get(letter.pk)):
            fresh.append(new)  # another event than the letter's: it is reviewed, and edited, by itself
            replaced[letter.pk] = _Return(letter, sent, new)
        else:
            back[letter.pk] = _Return(letter, sent, new)
    _reopen(list(back.values()))
    _replace(list(replaced.values()))
    return fresh


def _sent_for_events(source: Source, letters: Sequence[NewLetter]) -> dict[tuple[str | None, str], int]:
    """Letters that were sent again and whose event failed once more in the same service.

    Many services do not copy a message's headers when they dead-letter it; the event's id tells as well.
    """
    events = {new.event_id for new in letters if new.reason == Reason.SERVICE and new.event_id}
    if not events:
        return {}
    with connection.cursor() as cursor:
        # Index dead_letter_event. A letter may be back before its job has noted that it is out.
        cursor.execute(
            """
            SELECT event_id, failed_in, max(id) FROM dlq_deadletter letter
            WHERE event_id = ANY(%s) AND reason = 'service' AND status IN ('open', 'sent') AND source_id = %s
              AND (status = 'sent' OR EXISTS (
                  SELECT FROM dlq_retry retry JOIN dlq_retryjob job ON job.id = retry.job_id
                  WHERE retry.letter_id = letter.id AND retry.state IN ('claimed', 'published')
                    AND (retry.publish_started_at IS NOT NULL OR retry.id = ANY(job.in_flight || job.confirmed))
              ))
            GROUP BY event_id, failed_in
            UNION ALL
            SELECT edit.event_id, letter.failed_in, letter.id FROM dlq_edit edit
            JOIN dlq_deadletter letter ON letter.id = edit.letter_id
            WHERE edit.event_id = ANY(%s) AND edit.state = 'approved' AND letter.status IN ('open', 'sent')
              AND letter.source_id = %s
            """,
            [list(events), source.pk, list(events), source.pk],
        )
        return {(event_id, failed_in): letter_id for event_id, failed_in, letter_id in cursor.fetchall()}


def _reopen(returned: Sequence[_Return]) -> None:
    if not returned:
        return
    now = timezone.now()
    source = returned[0].letter.source
    found = places(source, [(fingerprint_of(source, back.death), back.death) for back in returned])
    past: list[PastFailure] = []
    changes: dict[int, counts.Change] = {}
    moved: list[int] = []
    for back, place in zip(returned, found, strict=True):
        group_id = place.group
        letter, retry, death = back.letter, back.retry, back.death
        failed_at: datetime = death.failed_at or now
        past.append(
            PastFailure(
                letter=letter,
                attempt=letter.attempts,
                error_class=letter.error_class,
                error_message=letter.error_message,
                stack=letter.stack,
                failed_at=letter.last_failed_at,
            )
        )
        arrived = changes.setdefault(group_id, counts.Change())
        arrived.failures += 1
        arrived.last_failed_at = max(arrived.last_failed_at or failed_at, failed_at)
        if letter.group_id != group_id:
            changes.setdefault(letter.group_id, counts.Change()).letters -= 1
            arrived.letters += 1
            moved.append(letter.pk)
        if letter.status == Status.OPEN:
            changes.setdefault(letter.group_id, counts.Change()).open -= 1
        arrived.open += 1
        letter.group_id, letter.own_group_id = group_id, place.own_group
        letter.status = Status.OPEN
        letter.closed_at, letter.closed_by, letter.closed_note = None, "", ""
        letter.reason = death.reason
        letter.error_class = storable(death.error_class)
        letter.error_message = storable(death.error_message)
        letter.stack = storable(death.stack)
        letter.attempts = max(letter.attempts, retry.attempt)
        letter.returns += 1
        letter.last_failed_at = failed_at
        retry.state = RetryState.FAILED_AGAIN
        retry.published_at = retry.published_at or now
        retry.finished_at = now
        retry.error = letter.error_message[:1000]
    PastFailure.objects.bulk_create(past)
    DeadLetter.objects.bulk_update(
        [back.letter for back in returned],
        [
            "group", "own_group", "status", "closed_at", "closed_by", "closed_note", "reason", "error_class",
            "error_message", "stack", "attempts", "returns", "last_failed_at",
        ],
        batch_size=500,
    )  # fmt: skip
    Retry.objects.bulk_update(
        [back.retry for back in returned], ["state", "published_at", "finished_at", "error"], batch_size=500
    )
    if moved:
        lanes.follow(moved)
    counts.add(changes)
    if any(place.is_fixed for place in found):
        regressions.notice(changes)


def _replace(returned: Sequence[_Return]) -> None:
    """The edits of these letters died again, as letters of their own: what was edited is done with."""
    now = timezone.now()
    changes: dict[int, counts.Change] = {}
    for back in returned:
        letter, retry = back.letter, back.retry
        if letter.status == Status.OPEN:
            changes.setdefault(letter.group_id, counts.Change()).open -= 1
        letter.status, letter.closed_at, letter.closed_by = Status.RESOLVED, now, "eventhub"
        letter.closed_note = REPLACED
        retry.state, retry.finished_at = RetryState.FAILED_AGAIN, now
        retry.published_at = retry.published_at or now
        retry.error = storable(back.death.error_message)[:1000]
        letter.save(update_fields=["status", "closed_at", "closed_by", "closed_note"])
        retry.save(update_fields=["state", "published_at", "finished_at", "error"])
    counts.add(changes)
