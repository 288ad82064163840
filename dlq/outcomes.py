"""What became of retries, learnt from what flows by: ingest calls `observe` for each batch, in its transaction."""

from collections.abc import Sequence

from django.db import connection
from django.utils import timezone

from dlq import counts
from dlq.headers import RetriedAs, retried_as
from dlq.models import RetryState
from dlq.returns import MAY_COME_BACK
from dlq.text import indexable
from eventhub.events.envelope import Event
from eventhub.events.message import Message
from eventhub.events.receipts import Receipt


def observe(stored: Sequence[tuple[Message, Event]], receipts: Sequence[Receipt]) -> None:
    """Close the letters that `stored` messages and success `receipts` show to be repaired.

    A message that EventHub could not read or store, and now did, is repaired by that. What a service gave up on is
    repaired when that service says so. Costs no statement for a batch without retried messages and receipts.
    """
    retried = {found for message, _ in stored if message.headers and (found := retried_as(message.headers))}
    if retried:
        _stored_at_last(sorted(retried, key=lambda found: (found.letter_id, found.attempt)))
    succeeded = [receipt for receipt in receipts if receipt.succeeded]
    if succeeded and _any_awaiting():
        _processed_at_last(succeeded)


def _stored_at_last(retried: Sequence[RetriedAs]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT letter.id FROM dlq_deadletter letter
            JOIN unnest(%s::bigint[], %s::int[]) AS sent (id, attempt) USING (id)
            JOIN dlq_retry retry ON retry.letter_id = letter.id AND retry.attempt = sent.attempt
            WHERE letter.reason <> 'service' AND letter.status IN ('open', 'sent') AND retry.state = ANY(%s)
            ORDER BY letter.id FOR UPDATE OF letter
            """,
            [
                [found.letter_id for found in retried],
                [found.attempt for found in retried],
                [state.value for state in MAY_COME_BACK],
            ],
        )
        letters = [row[0] for row in cursor.fetchall()]
    _resolve(dict.fromkeys(letters, "Its retry was read and stored."))


def _any_awaiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM dlq_deadletter WHERE reason = 'service' AND status IN ('open', 'sent'))"
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _processed_at_last(receipts: Sequence[Receipt]) -> None:
    with connection.cursor() as cursor:
        # dead_letter_event, one probe for each receipt. An open letter, which nobody sent again from here, is only
        # closed by a success after its failure; a sent one by any.
        cursor.execute(
            """
            WITH receipt AS (
                SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS receipt (event_id, service, at)
            ), about AS (
                SELECT letter.id, receipt.at FROM receipt
                JOIN dlq_deadletter letter ON receipt.event_id = letter.event_id AND receipt.service = letter.failed_in
                WHERE letter.reason = 'service' AND letter.status IN ('open', 'sent')
                UNION ALL  -- an edit is processed in its letter's place
                SELECT letter.id, receipt.at FROM receipt
                JOIN dlq_edit edit ON edit.event_id = receipt.event_id AND edit.state = 'approved'
                JOIN dlq_deadletter letter ON letter.id = edit.letter_id AND receipt.service = letter.failed_in
            )
            SELECT letter.id, letter.status, letter.failed_in FROM dlq_deadletter letter JOIN about USING (id)
            WHERE letter.reason = 'service' AND letter.status IN ('open', 'sent')
              AND (letter.status = 'sent' OR about.at > letter.last_failed_at)
            ORDER BY letter.id FOR UPDATE OF letter
            """,
            [
                [indexable(receipt.event_id) for receipt in receipts],
                [receipt.service.replace("\x00", "␀") for receipt in receipts],
                [receipt.at for receipt in receipts],
            ],
        )
        found = cursor.fetchall()
    _resolve(
        {
            letter: f"{service} processed the event."
            if status == "sent"
            else f"{service} processed the event without a retry from here."
            for letter, status, service in found
        }
    )


def _resolve(notes: dict[int, str]) -> None:
    """Close locked letters, each with a note, and settle their retries."""
    if not notes:
        return
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE dlq_deadletter letter
            SET status = 'resolved', closed_at = %s, closed_by = 'eventhub', closed_note = resolved.note
            FROM unnest(%s::bigint[], %s::text[]) AS resolved (id, note),
                 (SELECT id, status FROM dlq_deadletter WHERE id = ANY(%s)) AS before
            WHERE letter.id = resolved.id AND before.id = letter.id
            RETURNING letter.group_id, before.status
            """,
            [now, list(notes), list(notes.values()), list(notes)],
        )
        changes: dict[int, counts.Change] = {}
        for group_id, before in cursor.fetchall():
            if before == "open":
                changes.setdefault(group_id, counts.Change()).open -= 1
        cursor.execute(
            """
            UPDATE dlq_retry SET state = %s, finished_at = %s, published_at = coalesce(published_at, %s), error = ''
            WHERE id IN (
                SELECT id FROM dlq_retry
                WHERE id IN (SELECT max(id) FROM dlq_retry WHERE letter_id = ANY(%s) GROUP BY letter_id)
                ORDER BY id FOR NO KEY UPDATE  -- in the order in which a retry job locks them
            ) AND state = ANY(%s)
            """,
            [
                RetryState.SUCCEEDED.value,
                now,
                now,
                list(notes),
                [state.value for state in MAY_COME_BACK if state != RetryState.NOT_PUBLISHED],
            ],
        )
    counts.add(changes)
